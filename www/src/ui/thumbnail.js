// @ts-check
// thumbnail.js — draws an item's small picture on its canvas, and gives up asking for it when the tile leaves the screen.

import { noChange } from "lit";
import { AsyncDirective, directive } from "lit/async-directive.js";

/** @typedef {import("../gallery/thumbnails.js").Thumbnails} Thumbnails */

class Thumbnail extends AsyncDirective {
  /** The item on the canvas, or on its way there. */
  #id = -1;
  #asked = new AbortController();

  /** @param {number} _id @param {Thumbnails} _thumbnails */
  render(_id, _thumbnails) {
    return noChange;
  }

  /**
   * @param {import("lit/directive.js").ElementPart} part
   * @param {[number, Thumbnails]} asked
   * @override
   */
  update({ element }, [id, thumbnails]) {
    if (id !== this.#id) this.#draw(/** @type {HTMLCanvasElement} */ (element), id, thumbnails);
    return noChange;
  }

  /** @param {HTMLCanvasElement} canvas @param {number} id @param {Thumbnails} thumbnails */
  async #draw(canvas, id, thumbnails) {
    this.#asked.abort();
    const asked = (this.#asked = new AbortController());
    this.#id = id;
    const context = canvas.getContext("2d");
    context?.clearRect(0, 0, canvas.width, canvas.height);
    // An image that cannot be opened says so on its tile when its turn to be scored comes.
    const bitmap = await thumbnails.get(id, { signal: asked.signal }).catch(() => null);
    if (!context || !bitmap || asked.signal.aborted) return;
    canvas.width = bitmap.width;
    canvas.height = bitmap.height;
    context.drawImage(bitmap, 0, 0);
  }

  /** @override */
  disconnected() {
    this.#asked.abort();
    this.#id = -1;
  }
}

export const thumbnail = directive(Thumbnail);
