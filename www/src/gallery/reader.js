// @ts-check
// reader.js — opens an image, computes its hash, and looks up what earlier visits stored for it.

import { MAX_IMAGE_BYTES } from "../model/download.js";
import { sha256 } from "../common/hash.js";

/** @typedef {import("./work.js").Work} Work */

export class Reader {
  /** The store; null: nothing is stored. @type {import("./results.js").Results | null} */ results = null;
  #changed;
  #opened;

  /** @param {{ changed: (work: Work) => void, opened: (work: Work) => void }} host  `opened` is called when a file was opened */
  constructor({ changed, opened }) {
    this.#changed = changed;
    this.#opened = opened;
  }

  /** @param {Work} work @param {AbortSignal} [signal] @returns {Promise<Blob>} */
  async open(work, signal) {
    const blob = await work.entry.blob(signal);
    if (blob instanceof File && !work.file) {
      work.file = blob;
      this.#opened(work);
    }
    if (blob.size > MAX_IMAGE_BYTES) throw new Error(`the file has ${(blob.size / 1e6).toFixed(0)} MB, expected an image of at most ${MAX_IMAGE_BYTES / 1e6} MB`);
    return blob;
  }

  /** Reads the sidecar file and what earlier visits stored for the image. @param {Work} work @param {Blob | null} [image]  if it is open already */
  async recall(work, image = null) {
    await work.readPrompt(this.#changed);
    if (this.results) await this.#hashOf(work, image);
  }

  /** Stores mark and typed prompt by the hash of the image. @param {Work} work */
  async keepNote(work) {
    if (!this.results) return;
    try {
      const hash = await this.#hashOf(work, work.blob);
      if (hash !== null) await this.results.putNote(hash, work.item.mark, work.typed);
    } catch {
      // The image cannot be read. The error is shown when it is scored.
    }
  }

  /** Computes the hash once. @param {Work} work @param {Blob | null} image @returns {Promise<string | null>}  null if the browser offers no cryptography */
  #hashOf(work, image) {
    return work.hashing ??= this.#hash(work, image).catch((error) => {
      work.hashing = null; // Another try can succeed.
      throw error;
    });
  }

  /** @param {Work} work @param {Blob | null} image */
  async #hash(work, image) {
    const blob = image ?? await this.open(work);
    work.hash = await sha256(await blob.arrayBuffer());
    const note = work.hash && await this.results?.note(work.hash);
    if (note) {
      work.recall(note);
      this.#changed(work);
    }
    return work.hash;
  }
}
