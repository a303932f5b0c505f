// @ts-check
// queue.js — the requests that wait for the worker. The next one is chosen when the worker is free. Images by address are fetched
// ahead, several at a time, so that a slow one does not delay the others.

import { downloadImage } from "../model/download.js";
import { reasonOf } from "../common/errors.js";

/** @typedef {import("./protocol.js").Result} Result */

/** The number of images that are fetched ahead. A browser opens six connections to a server. */
const FETCHED = 4;

/** A request for a score, with the promise of its caller. The promise outlives crashes of the worker. */
export class Pending {
  /** The number of crashes on the CPU while this image was scored. */
  crashes = 0;
  /** Whether its worker ended while it was scored. Then it is the next one. */
  isAgain = false;
  isSettled = false;
  /** @type {Promise<Result>} */ promise;
  /** @type {(result: Result) => void} */ #resolve = () => {};
  /** @type {(error: Error) => void} */ #reject = () => {};
  #signal;

  /**
   * @param {number} id
   * @param {Blob | string} image  the bytes, or the address from which the queue fetches them
   * @param {string | null} prompt
   * @param {import("./protocol.js").ScoreOptions} options
   * @param {(pending: Pending) => void} onAbort
   */
  constructor(id, image, prompt, { signal, priority = 0, crops }, onAbort) {
    this.id = id;
    this.image = image;
    this.prompt = prompt;
    this.priority = priority;
    this.crops = crops;
    this.#signal = signal;
    this.fetching = new AbortController();
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.abort = () => {
      this.reject(reasonOf(/** @type {AbortSignal} */ (signal)));
      onAbort(this);
    };
    signal?.addEventListener("abort", this.abort);
  }

  /** @param {Result} result */
  resolve(result) {
    this.#settle();
    this.#resolve(result);
  }

  /** @param {Error} error */
  reject(error) {
    this.#settle();
    this.#reject(error);
  }

  #settle() {
    this.isSettled = true;
    this.fetching.abort();
    this.#signal?.removeEventListener("abort", this.abort);
  }
}

export class Queue {
  /** In the order of the calls. @type {Set<Pending>} */ #waiting = new Set();
  /** Requests by address whose image is being fetched or was fetched. @type {Set<Pending>} */ #fetched = new Set();
  #onFetched;

  /** @param {() => void} onFetched  called when an image was fetched */
  constructor(onFetched) {
    this.#onFetched = onFetched;
  }

  /** @param {Pending} pending */
  add(pending) {
    this.#waiting.add(pending);
    if (typeof pending.image === "string") this.#fetch();
  }

  /** @param {Pending} pending */
  delete(pending) {
    this.#waiting.delete(pending);
    this.#fetched.delete(pending);
    this.#fetch();
  }

  /** Removes and returns the request with the highest priority whose image is here. Equal ones keep their order. */
  next() {
    const best = this.#best(({ image }) => image instanceof Blob);
    if (best) this.delete(best);
    return best;
  }

  #fetch() {
    while (this.#fetched.size < FETCHED) {
      const pending = this.#best((pending) => typeof pending.image === "string" && !this.#fetched.has(pending));
      if (!pending) return;
      this.#fetched.add(pending);
      // The browser's cache may hold a response without CORS headers, from an <img> with the same address.
      downloadImage(String(pending.image), { signal: pending.fetching.signal, cache: "no-cache" }).then((blob) => {
        pending.image = blob;
        this.#onFetched();
      }, (error) => {
        this.delete(pending);
        if (!pending.isSettled) pending.reject(error);
      });
    }
  }

  /** @param {(pending: Pending) => boolean} isMeant */
  #best(isMeant) {
    /** @type {Pending | null} */
    let best = null;
    let highest = -Infinity;
    for (const pending of this.#waiting) {
      if (!isMeant(pending)) continue;
      if (pending.isAgain) {
        best = pending;
        break;
      }
      const priority = typeof pending.priority === "function" ? pending.priority() : pending.priority;
      if (best === null || priority > highest) [best, highest] = [pending, priority];
    }
    return best;
  }

  /** @param {Error} error */
  rejectAll(error) {
    for (const pending of this.#waiting) pending.reject(error);
    this.#waiting.clear();
    this.#fetched.clear();
  }
}
