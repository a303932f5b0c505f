// @ts-check
// sidecars.js — reads the prompt files beside images in the background, so that prompts can be searched before images are scored.

import { readPrompt } from "./work.js";

/** @typedef {import("./types.js").Work} Work */

/** Files that are read at once. */
const READERS = 4;

export class Sidecars {
  /** @type {Work[]} */ #unread = [];
  #from = 0;
  #readers = 0;
  #changed;

  /** @param {(work: Work) => void} changed */
  constructor(changed) {
    this.#changed = changed;
  }

  /** @param {Work} work */
  add(work) {
    if (!work.entry.sidecar) return;
    this.#unread.push(work);
    if (this.#readers < READERS) this.#read();
  }

  async #read() {
    this.#readers += 1;
    for (let work; (work = this.#unread[this.#from++]);) {
      await readPrompt(work, this.#changed).catch(() => {}); // It is said when the image's turn comes.
    }
    this.#readers -= 1;
    if (this.#readers === 0) this.close();
  }

  close() {
    this.#unread = [];
    this.#from = 0;
  }
}
