// @ts-check
// within.js — a published gallery within the whole <tsp-gallery>: its code is loaded when there is a table to show.

import { messageOf } from "../common/errors.js";

/** @typedef {import("../elements/tsp-gallery.js").TspGallery} Gallery */

export class PublishedWithin {
  /** @type {import("./show.js").Published | null} */ #published = null;
  /** What is shown, or being fetched. */
  #key = "";
  /** @type {Gallery} */ #gallery;

  /** @param {Gallery} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
  }

  close() {
    this.#published?.close();
    this.#published = null;
    this.#key = "";
  }

  /** Shows the table at an address in the element `.table`. @param {string} src @param {boolean} isLive */
  async show(src, isLive) {
    const key = JSON.stringify([src, isLive]);
    if (key === this.#key) return;
    this.close();
    this.#key = key;
    try {
      const [{ Published }, { liveScores }] = await Promise.all([import("./show.js"), isLive ? import("./live.js") : { liveScores: null }]);
      const table = this.#gallery.renderRoot.querySelector(".table");
      if (key !== this.#key || !table) return;
      this.#published = new Published(table.shadowRoot ?? table.attachShadow({ mode: "open" }));
      await this.#published.load(src, liveScores && liveScores(this.#gallery));
    } catch (error) {
      const { code = "network" } = /** @type {{ code?: string }} */ (error);
      if (key === this.#key) this.#gallery.tell("tsp-error", { code, message: messageOf(error) });
    }
  }
}
