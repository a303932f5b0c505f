// @ts-check
// thumbnail.js — a directive that draws the thumbnail of an item on a canvas. It cancels the request when the tile is removed.

import { noChange } from "lit";
import { AsyncDirective, directive } from "lit/async-directive.js";

/**
 * @typedef {import("../gallery/thumbnails.js").Thumbnails} Thumbnails
 * @typedef {import("../gallery/types.js").Item} Item
 * @typedef {import("../gallery/types.js").Status} Status
 */

class Thumbnail extends AsyncDirective {
  /** The item that is drawn or requested. */
  #id = -1;
  /** The status of the item when its thumbnail failed. Another status causes another try. @type {Status | null} */ #failed = null;
  #asked = new AbortController();

  /** @param {Item} _item @param {Thumbnails} _thumbnails */
  render(_item, _thumbnails) {
    return noChange;
  }

  /**
   * @param {import("lit/directive.js").ElementPart} part
   * @param {[Item, Thumbnails]} asked
   * @override
   */
  update({ element }, [item, thumbnails]) {
    const isFurther = this.#failed !== null && this.#failed !== item.status;
    if (item.id !== this.#id || isFurther) this.#draw(/** @type {HTMLCanvasElement} */ (element), item, thumbnails);
    return noChange;
  }

  /** @param {HTMLCanvasElement} canvas @param {Item} item @param {Thumbnails} thumbnails */
  async #draw(canvas, { id, status }, thumbnails) {
    this.#asked.abort();
    const asked = (this.#asked = new AbortController());
    this.#id = id;
    this.#failed = null;
    const context = canvas.getContext("2d");
    context?.clearRect(0, 0, canvas.width, canvas.height);
    // The tile shows the error when the image is scored.
    const bitmap = await thumbnails.get(id, { signal: asked.signal }).catch(() => {
      if (asked === this.#asked) this.#failed = status;
      return null;
    });
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
