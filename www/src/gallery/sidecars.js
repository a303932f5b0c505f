// @ts-check
// sidecars.js — reads sidecar files in the background, so that prompts can be searched before images are scored.

/** @typedef {import("./work.js").Work} Work */

/** The number of files that are read at the same time. */
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
      await work.readPrompt(this.#changed).catch(() => {}); // The error is shown when the image is scored.
    }
    this.#readers -= 1;
    if (this.#readers === 0) this.close();
  }

  close() {
    this.#unread = [];
    this.#from = 0;
  }
}
