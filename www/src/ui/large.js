// @ts-check
// large.js — object URLs of full-size images, for the large view and the comparison.

import { isTooLarge, sizeOf } from "../gallery/dimensions.js";

/** @typedef {{ url: string | null, error: string | null }} Large */

export class LargeImages {
  /** @type {Map<number, Large>} */ #images = new Map();
  /** @type {import("./gallery-element.js").GalleryElement} */ #gallery;

  /** @param {import("./gallery-element.js").GalleryElement} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
  }

  /** Opens these images and releases all others. @param {number[]} ids */
  hold(ids) {
    for (const [id, { url }] of this.#images) {
      if (ids.includes(id)) continue;
      if (url !== null) URL.revokeObjectURL(url);
      this.#images.delete(id);
    }
    for (const id of ids) if (!this.#images.has(id)) this.#open(id);
  }

  /** @param {number} id */
  get(id) {
    return this.#images.get(id) ?? null;
  }

  /** @param {number} id */
  async #open(id) {
    /** @type {Large} */
    const large = { url: null, error: null };
    this.#images.set(id, large);
    try {
      const blob = await this.#gallery.collection.blob(id);
      const size = await sizeOf(blob);
      if (size && isTooLarge(size)) throw new Error(`the image has ${size.width} × ${size.height} pixels, which is too large to show; open the file in another program`);
      if (this.#images.get(id) !== large) return;
      large.url = URL.createObjectURL(blob);
    } catch (error) {
      large.error = /** @type {Error} */ (error).message;
    }
    this.#gallery.requestUpdate();
  }

  /** Call it if the browser cannot show an image. @param {number} id */
  fail(id) {
    const large = this.#images.get(id);
    if (large) large.error = "this browser cannot show the file";
    this.#gallery.requestUpdate();
  }
}
