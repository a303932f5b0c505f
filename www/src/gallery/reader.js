// @ts-check
// reader.js — reads an image before it is scored: its prompt and its hash, and what earlier visits left for it.

import { MAX_IMAGE_BYTES } from "../model/download.js";
import { sha256 } from "../model/hash.js";
import { keyOf } from "./results.js";
import { askedOf, readPrompt, showPrompt } from "./work.js";

/**
 * @typedef {import("./types.js").Work} Work
 * @typedef {import("./results.js").Stored} Stored
 */

/** Images from the network that are held until they are scored. */
export const FETCHED = 12;

export class Reader {
  /** Without them nothing is kept for the next visit. @type {import("./results.js").Results | null} */ results = null;
  /** @type {Work[]} */ #fetched = [];
  #changed;
  #opened;

  /** @param {{ changed: (work: Work) => void, opened: (work: Work) => void }} host  `opened`: its file is at hand now */
  constructor({ changed, opened }) {
    this.#changed = changed;
    this.#opened = opened;
  }

  /**
   * Where the image's result is stored, and that result; null where there is none.
   * @param {Work} work
   * @param {() => import("./types.js").ScorerInfo | undefined} run  what will score it: undefined, and only the image is read
   * @returns {Promise<{ key: string | null, stored: Stored | null } | null>}
   */
  async read(work, run) {
    await readPrompt(work, this.#changed);
    const hash = await this.#hashOf(work);
    const info = run();
    if (!info) return null;
    const key = hash && await keyOf(hash, askedOf(work), info);
    return { key, stored: key && (await this.results?.get(key)) || null };
  }

  /** What a person said of the image, by its content. @param {Work} work */
  async keepNote(work) {
    try {
      const hash = await this.#hashOf(work);
      if (hash !== null) await this.results?.putNote(hash, work.item.mark, work.typed);
    } catch {
      // The image cannot be read: it says so itself when its turn comes.
    }
  }

  /** Once an image. @param {Work} work @returns {Promise<string | null>}  null where nothing is kept, or the browser cannot hash */
  #hashOf(work) {
    return work.hashing ??= this.#open(work).catch((error) => {
      work.hashing = null; // It may be there again when it is tried again.
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
      if (!work.isMarked) work.item.mark = note.mark;
      if (!work.isTyped) work.typed = note.prompt;
      showPrompt(work);
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
