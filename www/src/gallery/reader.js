// @ts-check
// reader.js — reads the prompt and the hash of an image, and looks up what earlier visits stored for it.

import { MAX_IMAGE_BYTES } from "../model/download.js";
import { sha256 } from "../common/hash.js";
import { keyOf } from "./results.js";

/**
 * @typedef {import("./work.js").Work} Work
 * @typedef {import("./results.js").Stored} Stored
 */

/** The number of images from the network that are kept in memory until they are scored. */
export const FETCHED = 12;

export class Reader {
  /** The store; null: nothing is stored. @type {import("./results.js").Results | null} */ results = null;
  /** @type {Work[]} */ #fetched = [];
  #changed;
  #opened;

  /** @param {{ changed: (work: Work) => void, opened: (work: Work) => void }} host  `opened` is called when a file was opened */
  constructor({ changed, opened }) {
    this.#changed = changed;
    this.#opened = opened;
  }

  /**
   * Returns the key of the image's result, and the stored result or null.
   * @param {Work} work
   * @param {() => import("./types.js").ScorerInfo | undefined} run  the settings of the scorer; if undefined, only the image is read, and null is returned
   * @returns {Promise<{ key: string | null, stored: Stored | null } | null>}
   */
  async read(work, run) {
    await work.readPrompt(this.#changed);
    const hash = await this.#hashOf(work);
    const info = run();
    if (!info) return null;
    const key = hash && await keyOf(hash, work.asked, info);
    return { key, stored: key && (await this.results?.get(key)) || null };
  }

  /** Stores mark and typed prompt by the hash of the image. @param {Work} work */
  async keepNote(work) {
    try {
      const hash = await this.#hashOf(work);
      if (hash !== null) await this.results?.putNote(hash, work.item.mark, work.typed);
    } catch {
      // The image cannot be read. The error is shown when it is scored.
    }
  }

  /** Computes the hash once. @param {Work} work @returns {Promise<string | null>}  null if nothing is stored, or the browser offers no cryptography */
  #hashOf(work) {
    return work.hashing ??= this.#open(work).catch((error) => {
      work.hashing = null; // Another try can succeed.
      throw error;
    });
  }

  /** @param {Work} work */
  async #open(work) {
    const blob = await work.entry.blob();
    if (work.entry.url) this.#hold(work, blob);
    if (blob instanceof File && !work.file) {
      work.file = blob;
      this.#opened(work);
    }
    if (blob.size > MAX_IMAGE_BYTES) throw new Error(`the file has ${(blob.size / 1e6).toFixed(0)} MB, expected an image of at most ${MAX_IMAGE_BYTES / 1e6} MB`);
    if (!this.results) return null;
    work.hash = await sha256(await blob.arrayBuffer());
    if (work.hash === null) return null;
    const note = await this.results.note(work.hash);
    if (note) {
      work.recall(note);
      this.#changed(work);
    }
    return work.hash;
  }

  /**
   * @param {Work} work
   * @param {Blob} blob
   */
  #hold(work, blob) {
    work.blob = blob;
    this.#fetched = [...this.#fetched.filter((other) => other !== work), work];
    while (this.#fetched.length > FETCHED) /** @type {Work} */ (this.#fetched.shift()).blob = null;
  }
}
