// @ts-check
// queue.js — requests that wait for the worker. Which is next is decided when the worker is free, not when a request comes.

import { ScoreError } from "./errors.js";

/** @typedef {import("./protocol.js").Result} Result */

/** One image on its way, and the promise that its caller holds: it settles once, whatever happens to workers meanwhile. */
export class Pending {
  /** Crashes of the CPU's module while it worked on this image. */
  crashes = 0;
  /** It was in work when its worker had to go, so it is the next. */
  isAgain = false;
  isSettled = false;
  /** @type {Promise<Result>} */ promise;
  /** @type {(result: Result) => void} */ #resolve = () => {};
  /** @type {(error: ScoreError) => void} */ #reject = () => {};
  #signal;

  /**
   * @param {number} id
   * @param {Blob | string} image
   * @param {string | null} prompt
   * @param {import("./protocol.js").ScoreOptions} options
   * @param {(pending: Pending) => void} onAbort
   */
  constructor(id, image, prompt, { signal, priority = 0 }, onAbort) {
    this.id = id;
    this.image = image;
    this.prompt = prompt;
    this.priority = priority;
    this.#signal = signal;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.abort = () => {
      this.reject(new ScoreError("aborted", "scoring was aborted", { cause: signal?.reason }));
      onAbort(this);
    };
    signal?.addEventListener("abort", this.abort);
  }

  /** @param {Result} result */
  resolve(result) {
    this.#settle();
    this.#resolve(result);
  }

  /** @param {ScoreError} error */
  reject(error) {
    this.#settle();
    this.#reject(error);
  }

  #settle() {
    this.isSettled = true;
    this.#signal?.removeEventListener("abort", this.abort);
  }
}

export class Queue {
  /** In the order in which they came. @type {Set<Pending>} */ #waiting = new Set();

  /** @param {Pending} pending */
  add(pending) {
    this.#waiting.add(pending);
  }

  /** @param {Pending} pending */
  delete(pending) {
    this.#waiting.delete(pending);
  }

  /** Takes the one with the highest priority, and of equal ones the one that came first. */
  next() {
    /** @type {Pending | null} */
    let best = null;
    let highest = -Infinity;
    for (const pending of this.#waiting) {
      if (pending.isAgain) {
        best = pending;
        break;
      }
      const priority = typeof pending.priority === "function" ? pending.priority() : pending.priority;
      if (best === null || priority > highest) [best, highest] = [pending, priority];
    }
    if (best) this.#waiting.delete(best);
    return best;
  }

  /** @param {ScoreError} error */
  rejectAll(error) {
    for (const pending of this.#waiting) pending.reject(error);
    this.#waiting.clear();
  }
}
