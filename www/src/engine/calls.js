// @ts-check
// calls.js — the calls of `score` as a source of the queue: the highest priority first, and equal ones in the order of the calls.

import { reasonOf } from "../common/errors.js";
import { downloadImage } from "../model/download.js";
import { Job } from "./job.js";

/** @typedef {import("./protocol.js").Result} Result */

export class Calls {
  /** @type {Set<Job>} */ #jobs = new Set();

  /**
   * @param {Blob | string} image  the bytes, or the address from which they are fetched
   * @param {string | null} prompt
   * @param {import("./protocol.js").ScoreOptions} options
   * @param {() => void} changed  called when a job was added or aborted
   * @returns {Promise<Result>}
   */
  add(image, prompt, { signal, priority = 0, crops }, changed) {
    return new Promise((resolve, reject) => {
      const isFile = image instanceof Blob;
      const job = new Job({
        server: isFile ? null : new URL(image).host,
        priority: typeof priority === "function" ? priority : () => priority,
        // The browser's cache may hold a response without CORS headers, from an <img> with the same address.
        open: (signal) => downloadImage(String(image), { signal, cache: "no-cache" }),
        begin: () => ({ prompt, crops: crops ?? null }),
        scored: resolve,
        failed: reject,
      }, isFile ? image : null);
      const abort = () => {
        job.fail(reasonOf(/** @type {AbortSignal} */ (signal)));
        changed();
      };
      signal?.addEventListener("abort", abort, { signal: job.signal });
      this.#jobs.add(job);
      changed();
    });
  }

  /** @returns {Job[]} */
  waiting() {
    const ranked = [];
    for (const job of this.#jobs) {
      if (job.state === "scoring" || job.isSettled) this.#jobs.delete(job);
      else ranked.push({ job, priority: job.priority() });
    }
    return ranked.sort((a, b) => Number(b.priority > a.priority) - Number(b.priority < a.priority)).map(({ job }) => job);
  }

  /** @param {Error} error */
  reject(error) {
    for (const job of this.#jobs) job.fail(error);
    this.#jobs.clear();
  }
}
