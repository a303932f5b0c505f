// @ts-check
// intake.js — adds images that the user drops, pastes, chooses or names by address, and the samples.

import { readTable } from "../gallery/prompts.js";
import { fromFiles, fromFolder, fromTransfer, fromUrls } from "../gallery/sources.js";
import { count } from "./format.js";

/**
 * @typedef {import("./gallery-element.js").GalleryElement} Gallery
 * @typedef {import("../gallery/types.js").Listing} Listing
 */

export class Intake {
  /** Whether something is dragged over the gallery. */
  isOver = false;
  /** Samples, which are removed when other images are added. @type {Set<number>} */ #samples = new Set();
  /** @type {Gallery} */ #gallery;

  /** @param {Gallery} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
  }

  mount() {
    document.addEventListener("paste", this.#onPaste);
    for (const [type, listener] of this.#drags) this.#gallery.addEventListener(type, /** @type {EventListener} */ (listener));
  }

  unmount() {
    document.removeEventListener("paste", this.#onPaste);
    for (const [type, listener] of this.#drags) this.#gallery.removeEventListener(type, /** @type {EventListener} */ (listener));
  }

  /** @param {Iterable<File>} files */
  async addFiles(files) {
    await this.#take(fromFiles(files));
  }

  /** Adds addresses, one per line. @param {string} text */
  async addUrls(text) {
    await this.#take(fromUrls(text, document.baseURI));
  }

  async pickFolder() {
    /** @type {FileSystemDirectoryHandle} */ let folder;
    try {
      folder = await /** @type {any} */ (window).showDirectoryPicker();
    } catch (error) {
      // The user cancelled, or the browser does not allow it, as in a frame of another site.
      if (/** @type {Error} */ (error).name !== "AbortError") this.#gallery.notify(`the folder cannot be opened (${/** @type {Error} */ (error).message}): drop it here instead`);
      return;
    }
    await this.#take(fromFolder(folder, { onFound: (images) => this.#gallery.say(`${count(images, "image")} found …`) }));
  }

  async addSamples() {
    const { samples } = this.#gallery;
    if (!samples) return;
    const address = new URL(samples, document.baseURI).href;
    try {
      const answer = await fetch(address);
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      /** @type {{ file: string, prompt: string | null }[]} */
      const listed = await answer.json();
      const { collection } = this.#gallery;
      const isFirst = collection.items.length === 0;
      const ids = collection.add(listed.flatMap(({ file, prompt }) =>
        fromUrls(file.split("/").map(encodeURIComponent).join("/"), address).entries.map((entry) => ({ ...entry, prompt: prompt ?? undefined }))));
      if (isFirst) this.#samples = new Set(ids);
    } catch (error) {
      this.#gallery.notify(`the samples could not be loaded from ${address}: ${/** @type {Error} */ (error).message}`);
    }
  }

  /** @param {Listing | Promise<Listing>} listing */
  async #take(listing) {
    const gallery = this.#gallery;
    try {
      const { entries, tables, notices } = await listing;
      await gallery.opened;
      const { collection } = gallery;
      for (const notice of notices) gallery.notify(notice);
      if (entries.length > 0) {
        // The samples are removed, unless the user has marked one.
        const samples = [...this.#samples].filter((id) => collection.get(id)?.mark === null);
        this.#samples.clear();
        if (samples.length === collection.items.length) collection.remove(samples);
        const added = collection.add(entries).length;
        const known = entries.length - added;
        gallery.say(`${count(added, "image")} added${known > 0 ? `, ${count(known, "was", "were")} already in the list` : ""}.`);
      }
      for (const table of tables) {
        const { applied, notices: told } = collection.addPrompts(await readTable(table));
        for (const notice of told) gallery.notify(notice);
        gallery.notify(`${table.name}: ${count(applied, "image")} got ${applied === 1 ? "its prompt" : "their prompts"}`);
      }
    } catch (error) {
      gallery.notify(/** @type {Error} */ (error).message);
    }
  }

  /** @param {boolean} isOver */
  #setOver(isOver) {
    if (isOver === this.isOver) return;
    this.isOver = isOver;
    this.#gallery.requestUpdate();
  }

  /** @type {[string, (event: DragEvent) => void][]} */
  #drags = [
    ["dragover", (event) => {
      event.preventDefault();
      this.#setOver(true);
    }],
    ["dragleave", (event) => {
      const to = event.relatedTarget;
      if (!(to instanceof Node) || !this.#gallery.contains(to)) this.#setOver(false);
    }],
    ["drop", (event) => {
      event.preventDefault();
      this.#setOver(false);
      this.#gallery.windows.close();
      if (event.dataTransfer) this.#take(fromTransfer(event.dataTransfer));
    }],
  ];

  /** @param {ClipboardEvent} event */
  #onPaste = (event) => {
    const target = event.composedPath()[0];
    const isText = target instanceof HTMLElement && target.matches("input, textarea, [contenteditable]");
    const isElsewhere = target instanceof Node && target !== document.body && !event.composedPath().includes(this.#gallery);
    if (!event.clipboardData || isText || isElsewhere) return;
    event.preventDefault();
    this.#take(fromTransfer(event.clipboardData));
  };
}
