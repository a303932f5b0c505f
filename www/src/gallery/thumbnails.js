// @ts-check
// thumbnails.js — small pictures on demand, within a budget of memory.

import { isTooLarge, sizeOf } from "./dimensions.js";

/** What a grid's tile shows on a screen of double density. */
const SIDE_PX = 320;
/** Some 240 pictures of the default side: more than a screen of tiles. */
const BUDGET_BYTES = 96e6;
/** Decoders at work at once; scoring needs a core too. */
const DECODERS = 2;
/** Files being opened at once: one from the network may be slow to come, or never come, and the others must not wait for it. */
const OPENED = 8;
/** Drawings of the page whose requests wait: in each a few tiles are new, and those before them have long left the screen. */
const DRAWINGS = 100;

/**
 * @typedef {object} Request
 * @property {number} id
 * @property {AbortSignal | undefined} signal
 * @property {(bitmap: ImageBitmap | null) => void} resolve
 * @property {(error: unknown) => void} reject
 */

export class Thumbnails {
  /** In the order of use, the oldest first; null for what the browser cannot show. @type {Map<number, ImageBitmap | null>} */ #made = new Map();
  /** What was asked for in one drawing of the page stays together. @type {Request[][]} */ #waiting = [];
  #isDrawing = false;
  /** @type {Map<number, Promise<ImageBitmap | null>>} */ #making = new Map();
  /** The last work of each decoder. */
  #decoders = Array.from({ length: DECODERS }, () => Promise.resolve());
  #bytes = 0;
  #collection;
  #side_px;
  #budget_bytes;

  /** @param {{ collection: import("./collection.js").Collection, side_px?: number, budget_bytes?: number }} options  `side_px`: of the longer side */
  constructor({ collection, side_px = SIDE_PX, budget_bytes = BUDGET_BYTES }) {
    this.#collection = collection;
    this.#side_px = side_px;
    this.#budget_bytes = budget_bytes;
  }

  /** Bytes of the pictures that are kept. */
  get bytes() {
    return this.#bytes;
  }

  /**
   * Draw it at once: it is closed when others need its place. Null: the browser cannot show the file.
   * @param {number} id
   * @param {{ signal?: AbortSignal }} [options]  aborted for a tile that has left the screen; what was not begun is then not made
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

  /** The page begins to ask; it has asked for all when this task ends. */
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

  /** The newest drawing first, as a person scrolled there last, and in it from the top. */
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
   * @param {Promise<unknown> | undefined} before  the same for another tile: it may end with that tile, or bring what is wanted
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

  /** By the decoder that has rested longest. @param {() => Promise<ImageBitmap | null>} work */
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

  /** Lets go of all pictures, or of these items'. @param {Iterable<number>} [ids] */
  clear(ids = [...this.#made.keys()]) {
    for (const id of ids) {
      const bitmap = this.#made.get(id);
      if (bitmap !== undefined) this.#drop(id, bitmap);
    }
  }
}

/**
 * Null for what the browser cannot decode, or could only at the cost of the tab.
 * @param {Blob} blob
 * @param {number} side_px
 */
async function small(blob, side_px) {
  const size = await sizeOf(blob);
  if (size && isTooLarge(size)) return null;
  // The side that is left out follows; which one is longer is not known where the header is not.
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
