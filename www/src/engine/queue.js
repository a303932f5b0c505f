// @ts-check
// queue.js — the one queue of a scorer. It pulls jobs from its sources: the calls of `score`, and galleries. It reads images ahead,
// so that neither the network nor the disk delays the worker, and gives the worker the most wanted image that is read.

/**
 * @typedef {import("./job.js").Job} Job
 *
 * @typedef {object} Source
 * @property {(isFull: (server: string | null) => boolean) => Iterable<Job>} waiting
 *   the jobs that wait, in their present order, the most wanted first. Those of a full server can be left out
 *
 * @typedef {object} Worker
 * @property {boolean} isFree
 * @property {(job: Job, asked: import("./job.js").Asked, bytes: Promise<ArrayBuffer>) => void} score  called only while it is free
 */

/** The number of images that are read ahead from the disk, and from each server. A browser opens six connections to a server, and thumbnails need some of them. */
export const AHEAD = 4;
/** The number of images that are kept in memory until they are scored. */
const AHEAD_IN_ALL = 12;

export class Queue {
  /** In the order of precedence among equal priorities. @type {Set<Source>} */ #sources = new Set();
  /** Jobs whose worker ended. They come first. @type {Job[]} */ #again = [];
  /** Jobs whose images were read ahead, the oldest first. @type {Set<Job>} */ #ahead = new Set();
  /** The next job, with the bytes of its image at hand for the worker. @type {{ job: Job, bytes: Promise<ArrayBuffer> } | null} */ #loaded = null;
  #isAwake = false;
  #worker;

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
  }

  /** @param {Source} source */
  add(source) {
    this.#sources.add(source);
    this.wake();
  }

  /** @param {Source} source */
  remove(source) {
    this.#sources.delete(source);
  }

  /** Takes back jobs whose worker ended. @param {Job[]} jobs */
  again(jobs) {
    for (const job of jobs) job.again();
    this.#again.unshift(...jobs);
  }

  /** Looks for work soon. Call it when the worker is free, and when a source has new jobs or another order. */
  wake() {
    if (this.#isAwake) return;
    this.#isAwake = true;
    queueMicrotask(() => this.#pull()); // Thousands of calls at once cause one look.
  }

  #pull() {
    this.#isAwake = false;
    for (let job; this.#worker.isFree && (job = this.#next());) {
      const { bytes } = this.#load(job);
      this.#loaded = null; // The worker gets the bytes. If it crashes, they are read again.
      const asked = job.begin();
      if (asked) this.#worker.score(job, asked, bytes);
    }
    this.#readAhead();
    const next = this.#next();
    this.#loaded = next && this.#load(next);
  }

  /** Rejects the jobs whose worker ended. @param {Error} error */
  reject(error) {
    for (const job of this.#again.splice(0)) job.fail(error);
  }

  /** The next job, if its image is read. Images of servers keep no other waiting. @returns {Job | null} */
  #next() {
    this.#again = this.#again.filter(({ state }) => state === "read");
    if (this.#again.length > 0) return this.#again[0];
    for (const job of this.#waiting(() => false)) {
      if (job.state === "read") return job;
      if (job.server === null) return null;
    }
    return null;
  }

  #readAhead() {
    /** @type {Map<string | null, number>} */
    const counts = new Map();
    /** @param {string | null} server */
    const isFull = (server) => counts.get(server) === AHEAD;
    /** @type {Set<Job>} */
    const wanted = new Set();
    for (const job of this.#waiting(isFull)) {
      const { server } = job;
      if (isFull(server)) continue;
      counts.set(server, (counts.get(server) ?? 0) + 1);
      if (job.state === "waiting") {
        this.#ahead.add(job);
        job.read().then(() => this.wake());
      }
      if (wanted.add(job).size === AHEAD_IN_ALL || isFull(null)) break; // What comes after so many files is not needed soon.
    }
    for (const job of this.#ahead) {
      const isWanted = wanted.has(job) || job.state === "reading";
      // The order changes while a person scrolls. Images that were read for an earlier order must not fill the memory.
      if (!isWanted && job.state === "read" && this.#ahead.size > AHEAD_IN_ALL) job.forget();
      if (!isWanted && job.state !== "read") this.#ahead.delete(job);
    }
  }

  /** Reads the bytes of a job's image, unless they are at hand. @param {Job} job */
  #load(job) {
    if (this.#loaded?.job === job) return this.#loaded;
    const bytes = /** @type {Blob} */ (job.image).arrayBuffer();
    bytes.catch(() => {}); // The worker reports the error.
    return { job, bytes };
  }

  /** Merges the jobs of all sources by priority. @param {(server: string | null) => boolean} isFull @returns {Generator<Job, void, void>} */
  * #waiting(isFull) {
    const heads = [...this.#sources].map((source) => source.waiting(isFull)[Symbol.iterator]()).map((jobs) => ({ jobs, next: jobs.next() }));
    for (;;) {
      let best = null;
      for (const head of heads) {
        if (!head.next.done && (!best || head.next.value.priority() > best.next.value.priority())) best = head;
      }
      if (!best) return;
      yield best.next.value;
      best.next = best.jobs.next();
    }
  }
}
