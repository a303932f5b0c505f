// @ts-check
// queue.js — requests that wait for the worker. Which is next is decided when the worker is free, not when a request comes.
// Images by address are fetched meanwhile, several at once, so that one that does not come keeps no other waiting.

import { downloadImage } from "../model/download.js";
import { reasonOf } from "./errors.js";

/** @typedef {import("./protocol.js").Result} Result */

/** Images from the network that are on their way or wait here. A browser opens six connections to a server. */
const FETCHED = 4;

/** One image on its way, and the promise that its caller holds: it settles once, whatever happens to workers meanwhile. */
export class Pending {
  /** Crashes of the CPU's module while it worked on this image. */
  crashes = 0;
  /** It was in work when its worker had to go, so it is the next. */
  isAgain = false;
  isSettled = false;
  /** @type {Promise<Result>} */ promise;
  /** @type {(result: Result) => void} */ #resolve = () => {};
  /** @type {(error: Error) => void} */ #reject = () => {};
  #signal;

  /**
   * @param {number} id
   * @param {Blob | string} image  its bytes, or the address from which the queue fetches them
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
  /** In the order in which they came. @type {Set<Pending>} */ #waiting = new Set();
  /** Those of them that came by address, and are on their way or here. @type {Set<Pending>} */ #fetched = new Set();
  #onFetched;

  /** @param {() => void} onFetched  {@link next} may have one more */
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

  /** Takes the one with the highest priority of those that are here, and of equal ones the one that came first. */
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
      // An <img> of the same address may have left an answer without CORS headers in the browser's cache.
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
