// @ts-check
// thumbnails.js — makes thumbnails on demand and keeps them within a memory budget.

import { isTooLarge, sizeOf } from "./dimensions.js";

/** The size of a tile on a screen of double density. */
const SIDE_PX = 320;
/** About 240 thumbnails of the default size, which is more than a screen of tiles. */
const BUDGET_BYTES = 96e6;
/** The number of images that are decoded at the same time. Scoring needs a core, too. */
const DECODERS = 2;
/** The number of files that are opened at the same time, so that slow ones from the network do not delay the others. */
const OPENED = 8;
/** The number of renderings whose requests wait. The tiles of earlier renderings have left the screen. */
const DRAWINGS = 100;

/**
 * @typedef {object} Request
 * @property {number} id
 * @property {AbortSignal | undefined} signal
 * @property {(bitmap: ImageBitmap | null) => void} resolve
 * @property {(error: unknown) => void} reject
 */

export class Thumbnails {
  /** In the order of use, the oldest first; null for files that the browser cannot show. @type {Map<number, ImageBitmap | null>} */ #made = new Map();
  /** Requests, grouped by rendering of the page. @type {Request[][]} */ #waiting = [];
  #isDrawing = false;
  /** @type {Map<number, Promise<ImageBitmap | null>>} */ #making = new Map();
  /** The last job of each decoder. */
  #decoders = Array.from({ length: DECODERS }, () => Promise.resolve());
  #bytes = 0;
  #collection;
  #side_px;
  #budget_bytes;

  /** @param {{ collection: import("./collection.js").Collection, side_px?: number, budget_bytes?: number }} options  `side_px`: the longer side of a thumbnail */
  constructor({ collection, side_px = SIDE_PX, budget_bytes = BUDGET_BYTES }) {
    this.#collection = collection;
    this.#side_px = side_px;
    this.#budget_bytes = budget_bytes;
  }

  /** The size of all thumbnails in bytes. */
  get bytes() {
    return this.#bytes;
  }

  /**
   * Returns a thumbnail, or null if the browser cannot show the file. Draw it at once: it is closed when its memory is needed.
   * @param {number} id
   * @param {{ signal?: AbortSignal }} [options]  abort the signal when the tile leaves the screen: then the thumbnail is not made
   * @returns {Promise<ImageBitmap | null>}
   */
  get(id, { signal } = {}) {
    const made = this.#made.get(id);
    if (made !== undefined) {
      this.#made.delete(id);
      this.#made.set(id, made);
      return Promise.resolve(made);
    }
    return new Promise((resolve, reject) => {
      if (!this.#isDrawing) this.#draw();
      this.#waiting.at(-1)?.push({ id, signal, resolve, reject });
    });
  }

  /** Starts a group of requests. It ends with the current task. */
  #draw() {
    this.#isDrawing = true;
    const left = this.#waiting.length > DRAWINGS ? this.#waiting.shift() : undefined;
    for (const { reject } of left ?? []) reject(new DOMException("the tile has left the screen", "AbortError"));
    this.#waiting.push([]);
    queueMicrotask(() => {
      this.#isDrawing = false;
      this.#next();
    });
  }

  /** Serves the newest rendering first, from its top. */
  #next() {
    while (this.#making.size < OPENED) {
      const request = this.#waiting.at(-1)?.shift();
      if (!request) {
        if (this.#waiting.length === 0) return;
        this.#waiting.pop();
      } else if (request.signal?.aborted) request.reject(request.signal.reason);
      else this.#serve(request);
    }
  }

  /** @param {Request} request */
  async #serve({ id, signal, resolve, reject }) {
    const making = this.#make(id, signal, this.#making.get(id));
    this.#making.set(id, making);
    try {
      resolve(await making);
    } catch (error) {
      reject(error);
    } finally {
      if (this.#making.get(id) === making) this.#making.delete(id);
      this.#next();
    }
  }

  /**
   * @param {number} id
   * @param {AbortSignal | undefined} signal
   * @param {Promise<unknown> | undefined} before  the same request of another tile, which can be aborted or succeed
   */
  async #make(id, signal, before) {
    await before?.catch(() => {});
    if (this.#made.has(id)) return this.#made.get(id) ?? null;
    const blob = await this.#collection.blob(id, signal);
    const bitmap = await this.#decoded(async () => {
      signal?.throwIfAborted();
      return small(blob, this.#side_px);
    });
    this.#made.set(id, bitmap);
    this.#bytes += bytesOf(bitmap);
    for (const [oldest, old] of this.#made) {
      if (this.#bytes <= this.#budget_bytes || oldest === id) break;
      this.#drop(oldest, old);
    }
    return bitmap;
  }

  /** Runs `work` on the decoder that was started first. @param {() => Promise<ImageBitmap | null>} work */
  #decoded(work) {
    const done = /** @type {Promise<void>} */ (this.#decoders.shift()).then(work);
    this.#decoders.push(done.then(() => {}, () => {}));
    return done;
  }

  /**
   * @param {number} id
   * @param {ImageBitmap | null} bitmap
   */
  #drop(id, bitmap) {
    this.#made.delete(id);
    this.#bytes -= bytesOf(bitmap);
    bitmap?.close();
  }

  /** Deletes all thumbnails, or those of the given items. @param {Iterable<number>} [ids] */
  clear(ids = [...this.#made.keys()]) {
    for (const id of ids) {
      const bitmap = this.#made.get(id);
      if (bitmap !== undefined) this.#drop(id, bitmap);
    }
  }
}

/**
 * Makes a thumbnail. Returns null if the browser cannot decode the file, or if it is too large.
 * @param {Blob} blob
 * @param {number} side_px
 */
async function small(blob, side_px) {
  const size = await sizeOf(blob);
  if (size && isTooLarge(size)) return null;
  // The browser computes the other side. Without a known header, the width is assumed to be the longer side.
  const isTall = size !== null && size.height > size.width;
  const resize = size && Math.max(size.width, size.height) <= side_px ? {} : isTall ? { resizeHeight: side_px } : { resizeWidth: side_px };
  try {
    return await createImageBitmap(blob, { ...resize, resizeQuality: "medium" });
  } catch {
    return null;
  }
}

/** @param {ImageBitmap | null} bitmap */
function bytesOf(bitmap) {
  return bitmap ? bitmap.width * bitmap.height * 4 : 0;
}
