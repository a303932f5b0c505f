// @ts-check
// tsp-gallery.js — <tsp-gallery>: the whole product as one element. State and actions; what is seen is in ui/.

import { LitElement, html, nothing } from "lit";

import { Collection } from "../gallery/collection.js";
import { Results } from "../gallery/results.js";
import { Thumbnails } from "../gallery/thumbnails.js";
import { dropZone } from "../ui/add.js";
import { obey } from "../ui/commands.js";
import { Engine } from "../ui/engine.js";
import { count, sentence } from "../ui/format.js";
import { Grid } from "../ui/grid.js";
import { header } from "../ui/header.js";
import { Intake } from "../ui/intake.js";
import { images } from "../ui/styles-images.js";
import { scores } from "../ui/styles-scores.js";
import { base, frame } from "../ui/styles.js";
import { markName } from "../ui/tile.js";
import { toolbar } from "../ui/toolbar.js";
import { Windows } from "../ui/windows.js";

/**
 * @typedef {import("../gallery/types.js").Mark} Mark
 * @typedef {import("../engine/protocol.js").DeviceChoice} DeviceChoice
 */

/** Scores can come faster than anybody reads, and each drawing takes the time in which a press could be answered. */
const FOLLOW_MS = 150;
/** From such a screen on, tiles are that many pixels wide. */
const SHARP_FROM_PX = 2500;
const SHARP_PX = 512;
/** Where the histograms have room beside the toolbar without being asked for. */
const FILTERS_FROM_PX = 900;

/**
 * A gallery that scores images where they are: drop, sort, filter, triage, compare, export.
 *
 * Attributes may change at any time.
 *
 * @element tsp-gallery
 * @attr {string} model - Address of a model.json; without it the one beside the library
 * @attr {"auto" | "webgpu" | "cpu"} device - Where to compute
 * @attr {number} crops - Crops that a task looks at: 1, 5 or 15
 * @attr {string} samples - Address of a samples.json: `[{ file, prompt }]`
 * @attr {boolean} show-samples - Shows the samples until other images come
 * @attr {string} files - Folder of the library's worker and wasm, where a bundler has not placed them
 * @attr {"light" | "dark"} theme - Without it the system's
 * @slot title - The page's title
 * @slot subtitle - What the page says below it
 * @slot banner - What stands above the images
 * @fires {CustomEvent<Info>} tsp-ready - What runs; again when that changed
 * @fires {CustomEvent<Item>} tsp-scored - An image and its result
 * @fires {CustomEvent<{ ids: number[], mark: Mark }>} tsp-mark - Images were marked
 * @fires {CustomEvent<{ code: string, message: string }>} tsp-error - What went wrong
 * @fires {CustomEvent<{ theme: "light" | "dark" }>} tsp-theme - A person chose light or dark
 * @cssprop --tsp-height - Height of the element
 * @cssprop --tsp-font - Font of all texts
 * @cssprop --tsp-radius - Radius of corners
 * @cssprop --tsp-ground - Colour behind everything
 * @cssprop --tsp-surface - Colour of cards and bars
 * @cssprop --tsp-well - Colour of fields
 * @cssprop --tsp-line - Colour of thin lines
 * @cssprop --tsp-edge - Colour of edges of controls
 * @cssprop --tsp-ink - Colour of texts
 * @cssprop --tsp-soft - Colour of lesser texts
 * @cssprop --tsp-accent - Colour of what is chosen
 * @cssprop --tsp-on-accent - Colour of texts on the accent
 * @cssprop --tsp-perception - Colour of the first score
 * @cssprop --tsp-alignment - Colour of the second score
 * @csspart header - The upper bar
 * @csspart device - What computes
 * @csspart notice - A message
 * @csspart warning - What every result must say
 * @csspart error - What went wrong
 * @csspart progress - How far the work is
 * @csspart toolbar - Search, order and filters
 * @csspart histogram - The distribution of a score
 * @csspart scroller - What scrolls
 * @csspart grid - The images
 * @csspart tile - One image
 * @csspart drop-zone - What is shown while there is no image
 * @csspart detail - The large view
 * @csspart compare - Two images side by side
 * @csspart dialog - A dialog
 */
export class TspGallery extends LitElement {
  static properties = {
    model: { type: String },
    device: { type: String },
    crops: { type: Number },
    samples: { type: String },
    showSamples: { type: Boolean, attribute: "show-samples" },
    files: { type: String },
    theme: { type: String, reflect: true },
  };
  static styles = [base, frame, images, scores];

  #drawnAt = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #following;
  /** A server has no screen. */
  #prefersDark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");

  constructor() {
    super();
    /** @type {string | undefined} */ this.model = undefined;
    /** @type {DeviceChoice | undefined} */ this.device = undefined;
    /** @type {number | undefined} */ this.crops = undefined;
    /** @type {string | undefined} */ this.samples = undefined;
    this.showSamples = false;
    /** @type {string | undefined} */ this.files = undefined;
    /** @type {"light" | "dark" | undefined} */ this.theme = undefined;

    this.collection = new Collection();
    this.#listen();
    const pixels = typeof innerWidth === "number" ? Math.max(innerWidth, innerHeight) * devicePixelRatio : 0;
    this.thumbnails = new Thumbnails({ collection: this.collection, side_px: pixels > SHARP_FROM_PX ? SHARP_PX : undefined });
    this.engine = new Engine(this);
    this.intake = new Intake(this);
    this.grid = new Grid(this);
    this.windows = new Windows(this);
    /** @type {string[]} */ this.notices = [];
    this.hasFilters = false;
    /** For those who do not see the rest. */
    this.said = "";
    /** Settles when the results of earlier visits are at hand; images come after. @type {Promise<void> | null} */ this.opened = null;
    /** @type {number} */ this.saidTenths = 0;
  }

  /** Draws and tells what happens to the images. */
  #listen() {
    const { collection } = this;
    for (const type of ["change", "view", "progress"]) collection.addEventListener(type, () => this.#follow());
    collection.addEventListener("notice", (event) => this.notify(/** @type {CustomEvent} */ (event).detail.message));
    collection.addEventListener("progress", () => this.#sayProgress());
    /** A mark changes an item too, and is no new score. @type {WeakSet<object>} */
    const told = new WeakSet();
    collection.addEventListener("change", (event) => {
      for (const id of /** @type {CustomEvent<{ ids: number[] }>} */ (event).detail.ids) {
        const item = collection.get(id);
        if (!item) this.grid.selected.delete(id);
        else if (item.status === "scored" && item.result && !told.has(item.result)) {
          told.add(item.result);
          this.tell("tsp-scored", item);
        }
      }
    });
  }

  /** @returns {Promise<void>} */
  async #open() {
    this.collection.keepIn(await Results.open({ onNotice: (message) => this.notify(message) }));
    if (this.showSamples) await this.intake.addSamples();
  }

  connectedCallback() {
    super.connectedCallback();
    this.intake.mount();
    this.#begin();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.intake.unmount();
    this.grid.unmount();
    this.engine.close();
    this.thumbnails.clear();
    this.windows.large.hold([]);
  }

  async #begin() {
    await this.updateComplete;
    // Gone again in the same task: it was moved.
    if (!this.isConnected) return;
    this.grid.mount();
    this.hasFilters = this.clientWidth >= FILTERS_FROM_PX;
    if (this.opened === null) this.engine.wanted = this.#asked;
    this.engine.load();
    this.opened ??= this.#open();
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    this.#drawnAt = performance.now();
    this.grid.updated();
    this.windows.updated();
    if (this.opened === null) return; // The first model is still to be asked for.
    // Others may have been chosen in the page since.
    const changes = Object.fromEntries(Object.entries(this.#asked).filter(([name]) => changed.has(name)));
    if ("model" in changes || "files" in changes) {
      Object.assign(this.engine.wanted, changes);
      this.engine.load();
    } else if (Object.keys(changes).length > 0) this.engine.configure(changes);
  }

  get #asked() {
    const { model, device, crops, files } = this;
    return { model: model ?? undefined, device: device ?? /** @type {const} */ ("auto"), crops: crops ?? undefined, files: files ?? undefined };
  }

  render() {
    const isEmpty = this.collection.items.length === 0;
    return html`<div class="scroller ${this.intake.isOver ? "over" : ""}" part="scroller">
        ${header(this)}
        ${isEmpty ? dropZone(this) : html`${toolbar(this)}<main>${this.grid.render()}${
          this.collection.shown.length === 0 ? html`<p class="nothing">No image fits the search and the filters. <button type="button" @click=${() => this.clearView()}>Show all</button></p>` : nothing}</main>`}
      </div>
      ${this.windows.render()}
      <p class="hidden" role="status">${this.said}</p>`;
  }

  /** For the page around: images, sidecars and CSV tables, as if they were dropped. @param {Iterable<File>} files */
  add(files) {
    return this.intake.addFiles(files);
  }

  // What a person does.

  /** @param {KeyboardEvent} event */
  onKey(event) {
    obey(this, event);
  }

  focusSearch() {
    /** @type {HTMLElement | null} */ (this.renderRoot.querySelector(".search"))?.focus();
  }

  /** @param {KeyboardEvent} event */
  onSearchKey(event) {
    const first = this.collection.shown[0];
    if ((event.key !== "ArrowDown" && event.key !== "Enter") || first === undefined) return;
    event.preventDefault();
    this.grid.focus(first);
  }

  /** @param {number[]} ids @param {Mark} mark */
  mark(ids, mark) {
    if (ids.length === 0) return;
    this.collection.setMark(ids, mark);
    this.tell("tsp-mark", { ids, mark });
    this.say(ids.length === 1 ? `${this.collection.get(ids[0])?.name}: ${markName(mark)}` : `${count(ids.length, "image")}: ${markName(mark)}`);
  }

  /** @param {number[]} ids */
  takeOut(ids) {
    this.collection.remove(ids);
    this.say(`${count(ids.length, "image")} taken out of the list.`);
  }

  /** @param {Partial<import("../gallery/types.js").View>} view */
  setView(view) {
    this.collection.view = view;
    this.requestUpdate();
  }

  clearView() {
    this.setView({ search: "", marks: [], status: null, perception: null, alignment: null });
  }

  toggleFilters() {
    this.hasFilters = !this.hasFilters;
    this.requestUpdate();
  }

  /** @param {number} size */
  setTileSize(size) {
    this.grid.tileSize = size;
    this.requestUpdate();
  }

  /** @param {import("../engine/protocol.js").ModelSource | undefined} model */
  setModel(model) {
    this.windows.close();
    this.engine.wanted.model = model;
    this.engine.load();
  }

  /** Draws what the work brings: often enough to be read, and at once when it is done. What a person does is drawn at once. */
  #follow() {
    clearTimeout(this.#following);
    const wait = this.collection.progress.waiting === 0 ? 0 : this.#drawnAt + FOLLOW_MS - performance.now();
    if (wait <= 0) this.requestUpdate();
    else this.#following = setTimeout(() => this.requestUpdate(), wait);
  }

  // Looks and words.

  isDark() {
    return this.theme ? this.theme === "dark" : this.#prefersDark?.matches === true;
  }

  switchTheme() {
    this.theme = this.isDark() ? "light" : "dark";
    this.tell("tsp-theme", { theme: this.theme });
  }

  /** @param {string} message */
  notify(message) {
    if (!this.notices.includes(message)) this.notices = [...this.notices, message];
    this.say(sentence(message));
  }

  /** @param {string} notice */
  dismiss(notice) {
    this.notices = this.notices.filter((other) => other !== notice);
    this.requestUpdate();
  }

  /** @param {string} text */
  say(text) {
    this.said = text;
    this.requestUpdate();
  }

  /** @param {string} type @param {unknown} detail */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  /** Each tenth of the way, as every image would talk without end. */
  #sayProgress() {
    const { total, scored, failed, waiting, fromStore } = this.collection.progress;
    const tenths = total === 0 ? 0 : Math.floor((10 * (total - waiting)) / total);
    if (tenths === this.saidTenths || total === 0) return;
    this.saidTenths = tenths;
    if (waiting > 0) this.say(`${scored + failed} of ${count(total, "image")} scored`);
    else this.say(`All done: ${scored} scored${fromStore > 0 ? `, ${fromStore} of them on an earlier visit` : ""}${failed > 0 ? `, ${failed} failed` : ""}.`);
  }
}
