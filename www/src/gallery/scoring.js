// @ts-check
// scoring.js — the gallery as a source of the scorer's queue: it gives the images in the order of `Wanted`, and takes their results. An
// image with an earlier result is not scored again.

import { Job } from "../engine/job.js";
import { isAbort } from "../common/errors.js";
import { keyOf } from "./results.js";

/**
 * @typedef {import("./work.js").Work} Work
 * @typedef {import("./types.js").Scorer} Scorer
 *
 * @typedef {object} Host  the collection
 * @property {import("./wanted.js").Wanted} wanted
 * @property {(work: Work) => void} changed
 * @property {(message: string) => void} notice
 * @property {() => void} outdated  the model or the number of crops changed
 */

/** The number of images whose median time is reported. The median ignores a slow image and soon follows a change of the device. */
const WINDOW = 15;
/** The number of images in a row with an error of the device after which the scoring stops. */
const FAILURES_TO_STOP = 3;

export class Scoring {
  /** @type {Scorer | null} */ #scorer = null;
  /** @type {number[]} */ #times = [];
  /** The settings that the results depend on. */
  #run = "";
  #failures = 0;
  #isRecalling = false;
  isPaused = false;
  /** Whether the scorer failed, so that the images wait for another one. */
  #isBroken = false;
  /** The image that was scored last with this key. @type {Map<string, WeakRef<Work>>} */ #scored = new Map();
  #host;
  #reader;

  /**
   * @param {Host} host
   * @param {import("./reader.js").Reader} reader
   */
  constructor(host, reader) {
    this.#host = host;
    this.#reader = reader;
  }

  /** @param {Scorer | null} scorer */
  use(scorer) {
    if (scorer === null || scorer !== this.#scorer) {
      this.#scorer?.removeEventListener("state", this.#onState);
      this.#scorer?.queue.remove(this);
      for (const work of this.#host.wanted.works.values()) if (work.job) this.#wait(work); // Its result would be that of the other scorer.
      this.#scorer = scorer;
      this.#isBroken = false;
      scorer?.addEventListener("state", this.#onState);
      scorer?.queue.add(this);
    }
    this.wake();
  }

  /** @param {Event} event */
  #onState = (event) => {
    const { state } = /** @type {CustomEvent<import("../engine/protocol.js").StateEvent>} */ (event).detail;
    this.#isBroken = state === "failed";
    this.wake();
  };

  /** The median time of an image in milliseconds; null before the first one. */
  get median() {
    const sorted = this.#times.toSorted((a, b) => a - b);
    return sorted.length ? (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2 : null;
  }

  /** Tells the queue about changes that can bring work. */
  wake() {
    this.#compareRuns();
    this.#scorer?.queue.wake();
    this.#recallAll();
  }

  /** Notices a change of the model or the crops. */
  #compareRuns() {
    if (!this.#scorer) return;
    const { modelHash, crops, preprocessing } = this.#scorer.info;
    const run = JSON.stringify([modelHash, crops, preprocessing]);
    if (run === this.#run) return;
    const isFirst = this.#run === "";
    this.#run = run;
    this.#times = [];
    if (!isFirst) this.#host.outdated();
  }

  // The source.

  /** @param {(server: string | null) => boolean} isFull */
  * waiting(isFull) {
    for (const work of this.#allowed()) if (!isFull(serverOf(work))) yield this.#jobOf(work);
  }

  * #allowed() {
    for (const work of this.#host.wanted) if (!this.#isBroken && (work.isEdited || !this.isPaused)) yield work;
  }

  /** @param {Work} work @returns {Job} */
  #jobOf(work) {
    if (work.job) return work.job;
    /** @type {Job} */
    const job = work.job = new Job({
      server: serverOf(work),
      priority: () => (work.isEdited ? 1 : 0),
      open: (signal) => this.#open(work, job, signal),
      begin: () => this.#begin(work),
      scored: (result) => this.#done(work, result),
      failed: (error) => this.#fail(work, error),
    });
    return job;
  }

  /**
   * @param {Work} work
   * @param {Job} job
   * @param {AbortSignal} signal
   */
  async #open(work, job, signal) {
    const open = () => this.#reader.open(work, signal);
    // An image of a server is fetched once, for its hash and its score, unless an earlier hash finds a result.
    const image = work.entry.url && work.hash === null ? await open() : null;
    await this.#lookUp(work, job, image);
    return work.job === job ? image ?? open() : null;
  }

  /** @param {Work} work */
  #begin(work) {
    const same = work.key === null ? null : this.#scored.get(work.key)?.deref();
    if (same && same.key === work.key && same.item.result && same.item.provenance) {
      this.#finish(work, same.item.result, same.item.provenance, true); // The same file has another name.
      return null;
    }
    work.begin();
    this.#host.changed(work);
    return { prompt: work.asked, crops: this.#scorer?.info.crops ?? null };
  }

  /**
   * @param {Work} work
   * @param {import("./types.js").Result} result
   */
  #done(work, result) {
    const { device, dtype, modelHash, preprocessing } = /** @type {Scorer} */ (this.#scorer).info;
    const { key } = work;
    this.#failures = 0;
    this.#times = [...this.#times, result.elapsedMs].slice(-WINDOW);
    const provenance = { device, dtype, modelHash, preprocessing };
    this.#finish(work, result, provenance, false);
    if (key === null) return;
    this.#scored.set(key, new WeakRef(work));
    this.#reader.results?.put(key, result, provenance);
  }

  /**
   * @param {Work} work
   * @param {import("./types.js").Result} result
   * @param {import("./types.js").Provenance} provenance
   * @param {boolean} fromStore
   */
  #finish(work, result, provenance, fromStore) {
    work.finish(result, provenance, fromStore);
    this.#host.changed(work);
  }

  // Earlier results.

  /** Looks up the results of all files in their order, one after the other, if there can be any. A person sees them before the first new score. */
  async #recallAll() {
    if (this.#isRecalling) return;
    this.#isRecalling = true;
    for (let work; (work = this.#nextToRecall());) {
      await this.#lookUp(work, this.#jobOf(work));
    }
    this.#isRecalling = false;
  }

  #nextToRecall() {
    const hasEarlier = this.#reader.results?.hasEarlier === true;
    for (const work of this.#allowed()) {
      if (!work.entry.url && !work.lookUp && (hasEarlier || work.hash !== null)) return work;
    }
  }

  /** Takes an earlier result, if there is one. It never rejects. @param {Work} work @param {Job} job @param {Blob | null} [image] */
  #lookUp(work, job, image) {
    return work.lookUp ??= this.#findEarlier(work, job, image).catch((error) => job.fail(error));
  }

  /**
   * @param {Work} work
   * @param {Job} job
   * @param {Blob | null} [image]
   */
  async #findEarlier(work, job, image) {
    await this.#reader.recall(work, image);
    if (work.job !== job || !this.#scorer) return;
    const key = work.key = work.hash && await keyOf(work.hash, work.asked, this.#scorer.info);
    const stored = key && await this.#reader.results?.get(key);
    if (stored && work.job === job) this.#finish(work, stored.result, stored.provenance, true);
  }

  // Failures.

  /**
   * @param {Work} work
   * @param {unknown} error
   */
  #fail(work, error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    const message = sentenceOf(error, work);
    if (this.#isBroken && code === "device") return this.#wait(work);
    this.#failures = code === "device" ? this.#failures + 1 : 0;
    if (code === "closed" || code === "model" || this.#failures >= FAILURES_TO_STOP) {
      this.#wait(work);
      if (code !== "closed") this.#stop(message);
      return;
    }
    if (isAbort(error)) work.stop(); // Another user of the scorer stopped it, and would stop it again.
    else work.fail(message);
    this.#host.changed(work);
  }

  /** @param {Work} work */
  #wait(work) {
    const isWorking = work.item.status === "working";
    work.drop();
    if (isWorking) this.#host.changed(work);
  }

  /** @param {string} message */
  #stop(message) {
    this.isPaused = true;
    this.#failures = 0;
    this.#host.notice(`scoring has stopped: ${message}; the images wait; resume to try again`);
  }
}

/** The server of an image from the network; null for a file. @param {Work} work */
function serverOf({ entry }) {
  return entry.url ? entry.server ?? "" : null;
}

/**
 * @param {unknown} error
 * @param {Work} work
 */
function sentenceOf(error, { item }) {
  if (error instanceof DOMException && ["NotFoundError", "NotReadableError", "NotAllowedError"].includes(error.name)) {
    return `${item.name} can no longer be read: it was moved, changed or deleted since it was added; add it again`;
  }
  return error instanceof Error ? error.message : String(error);
}
