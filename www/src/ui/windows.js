// @ts-check
// windows.js — the window over the grid: a dialog, the large view or the comparison. At most one is open.

import { html, nothing } from "lit";
import { createRef, ref } from "lit/directives/ref.js";

import { clearModelCache, modelCacheBytes } from "../model/cache.js";
import { comparison } from "./compare.js";
import { Detail } from "./detail.js";
import * as dialogs from "./dialogs.js";
import { LargeImages } from "./large.js";

/**
 * @typedef {import("./gallery-element.js").GalleryElement} Gallery
 * @typedef {import("lit").ReactiveController} ReactiveController
 */

/** A lit controller. @implements {ReactiveController} */
export class Windows {
  /** @type {"help" | "urls" | "model" | null} */ #dialog = null;
  /** One image in the large view, or two in the comparison. @type {number[]} */ #ids = [];
  #detail;
  /** @type {Gallery} */ #gallery;
  /** @type {import("lit/directives/ref.js").Ref<HTMLElement>} */ #root = createRef();

  /** @param {Gallery} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
    gallery.addController(this);
    this.#detail = new Detail(gallery);
    this.large = new LargeImages(gallery);
    /** The size of the models in the browser's cache; null: not known yet. @type {number | null} */ this.cacheBytes = null;
  }

  get isOpen() {
    return this.#dialog !== null || this.#ids.length > 0;
  }

  /** The image in the large view. */
  get detailed() {
    return this.#ids.length === 1 ? this.#ids[0] : null;
  }

  render() {
    const gallery = this.#gallery;
    this.large.hold(this.#ids);
    const [a, b] = this.#ids.map((id) => gallery.collection.get(id));
    return html`<div ${ref(this.#root)} class="windows">${a && this.#ids.length === 1 ? this.#detail.render(a) : a && b ? comparison(gallery, [a, b]) : nothing}
      ${this.#dialog === null ? nothing : dialogs[this.#dialog](gallery)}
      ${gallery.engine.question ? dialogs.download(gallery, gallery.engine.question) : nothing}</div>`;
  }

  hostUpdated() {
    for (const dialog of this.#dialogs) {
      if (dialog.open) continue;
      dialog.showModal();
      // Otherwise Chromium would focus the first button and show its focus ring.
      if (dialog.autofocus) dialog.focus();
    }
  }

  hostDisconnected() {
    this.large.hold([]);
  }

  /** The rendered dialogs. */
  get #dialogs() {
    return this.#root.value?.querySelectorAll("dialog") ?? [];
  }

  /** @param {"help" | "urls" | "model"} dialog */
  show(dialog) {
    this.#to(dialog, []);
    if (dialog === "model") this.#measureCache();
  }

  /** Opens the large view. @param {number} id */
  open(id) {
    this.#to(null, [id]);
  }

  /** Shows an earlier or a later image in the large view, in the order of the grid. @param {number} by */
  step(by) {
    const { shown } = this.#gallery.collection;
    const place = this.detailed === null ? -1 : shown.indexOf(this.detailed);
    const next = shown[Math.min(shown.length - 1, Math.max(0, place + by))];
    if (this.detailed !== null && next !== undefined) this.open(next);
  }

  /** Compares the two selected images, or the selected image with the focused one. */
  compare() {
    const { chosen, focused } = this.#gallery.grid;
    const ids = chosen.length === 1 && focused !== null && focused !== chosen[0] ? [chosen[0], focused] : chosen;
    if (ids.length === 2) this.#to(null, ids);
    else this.#gallery.notify("select two images to compare: press Space on an image, or click the tick in the corner of its tile");
  }

  /** Closes the window. The focus returns to the image that was shown. */
  close() {
    const [first] = this.#ids;
    for (const dialog of this.#dialogs) dialog.close();
    this.#to(null, []);
    if (first !== undefined) this.#gallery.grid.focus(first);
  }

  /** Handles the cancel event of a dialog: Esc, or the back gesture of a phone. @param {Event} event */
  onCancel(event) {
    event.preventDefault();
    this.close();
  }

  /**
   * @param {"help" | "urls" | "model" | null} dialog
   * @param {number[]} ids
   */
  #to(dialog, ids) {
    this.#dialog = dialog;
    this.#ids = ids;
    this.#gallery.requestUpdate();
  }

  async #measureCache() {
    this.cacheBytes = await modelCacheBytes().catch(() => 0);
    this.#gallery.requestUpdate();
  }

  async deleteModels() {
    await clearModelCache();
    this.#gallery.say("The models were deleted from this browser.");
    await this.#measureCache();
  }
}
