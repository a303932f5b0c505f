// @ts-check
// scoring.js — scores the images one after the other, in the order of `Wanted`. An image with an earlier result is not scored again.
// Images from the network are fetched ahead, several at a time, so that a slow one does not delay the others.

import { isAbort } from "../common/errors.js";
import { FETCHED } from "./reader.js";

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
/** The number of images of a server that are fetched ahead. A browser opens six connections to it, and thumbnails need some of them. */
const FETCHED_OF_SERVER = 4;

export class Scoring {
  /** @type {Scorer | null} */ #scorer = null;
  /** @type {{ work: Work, abort: AbortController } | null} */ #job = null;
  /** @type {number[]} */ #times = [];
  #runs = "";
  #failures = 0;
  #wakeUp = () => {};
  #isScoring = false;
  #isLooking = false;
  isPaused = false;
  /** Whether the scorer failed, so that the images wait for another one. */
  #isBroken = false;
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
      if (this.#job) this.drop(this.#job.work);
      this.#scorer?.removeEventListener("state", this.#onState);
      scorer?.addEventListener("state", this.#onState);
      this.#scorer = scorer;
      this.#isBroken = false;
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

  /** Ends the work in progress for this image, which waits then. @param {Work} work */
  drop(work) {
    work.drop();
    if (this.#job?.work === work) this.#job.abort.abort();
  }

  /** Lets this image wait to be scored again. @param {Work} work */
  again(work) {
    work.again();
    if (this.#job?.work === work) this.#job.abort.abort();
  }

  /** Looks for work. Call it after each change that can bring some. */
  wake() {
    this.#wakeUp();
    this.#compareRuns();
    this.#score();
    this.#lookAhead();
    this.#fetchAhead();
  }

  /** Notices a change of the model or the crops. */
  #compareRuns() {
    if (!this.#scorer) return;
    const runs = JSON.stringify(runOf(this.#scorer.info));
    if (runs === this.#runs) return;
    const isFirst = this.#runs === "";
    this.#runs = runs;
    this.#times = [];
    if (!isFirst) this.#host.outdated();
  }

  async #score() {
    if (this.#isScoring) return;
    this.#isScoring = true;
    for (let scorer, work; !this.#isBroken && (scorer = this.#scorer) && (work = this.#next((work) => !work.entry.url || work.isPrepared));) {
      if (work.isPrepared) await this.#run(work, scorer);
      else await Promise.race([this.#prepare(work), this.#woken()]); // Afterwards, another image may come first.
      this.#compareRuns();
    }
    this.#isScoring = false;
  }

  /** Resolves at the next `wake`: an image that was just edited must not wait for a slow one. @returns {Promise<void>} */
  #woken() {
    return new Promise((resolve) => {
      this.#wakeUp = resolve;
    });
  }

  /** @param {(work: Work) => boolean} wanted */
  #next(wanted) {
    for (const work of this.#host.wanted) {
      if ((work.isEdited || !this.isPaused) && wanted(work)) return work;
    }
  }

  /** Reads the next image while one is scored. If there are earlier results, looks up those of all images. */
  async #lookAhead() {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (let work; (work = this.#nextToPrepare());) await this.#prepare(work);
    this.#isLooking = false;
  }

  #nextToPrepare() {
    const hasEarlier = this.#reader.results?.hasEarlier === true;
    if (!this.#scorer) return this.#next((work) => hasEarlier && !work.hashing && !work.entry.url);
    const next = this.#next((work) => !work.entry.url);
    if (next && !next.isPrepared && !next.preparing) return next;
    return this.#next((work) => (work.hash !== null || hasEarlier) && !work.isPrepared && !work.preparing && !work.entry.url);
  }

  #fetchAhead() {
    if (!this.#scorer || this.#isBroken) return;
    /** @type {Map<string, number>} */
    const ahead = new Map();
    let inAll = 0;
    for (const work of this.#host.wanted.remote()) {
      if (inAll === FETCHED) return;
      if (this.isPaused && !work.isEdited) continue;
      const { server = "" } = work.entry;
      const count = ahead.get(server) ?? 0;
      if (count === FETCHED_OF_SERVER) continue;
      ahead.set(server, count + 1);
      inAll += 1;
      if (!work.isPrepared && !work.preparing) this.#prepare(work).then(() => this.wake());
    }
  }

  /** @param {Work} work */
  #prepare(work) {
    return work.preparing ??= this.#lookUp(work, work.version).catch((error) => this.#fail(work, work.version, error)).finally(() => {
      work.preparing = null;
    });
  }

  /**
   * @param {Work} work
   * @param {number} version
   */
  async #lookUp(work, version) {
    const found = await this.#reader.read(work, () => (version === work.version ? this.#scorer?.info : undefined));
    if (!found || version !== work.version) return;
    const { key, stored } = found;
    work.key = key;
    if (stored) this.#finish(work, stored.result, stored.provenance, true);
    else work.isPrepared = true;
  }

  /**
   * @param {Work} work
   * @param {Scorer} scorer
   */
  async #run(work, scorer) {
    const { version, key } = work;
    const info = { ...scorer.info };
    const abort = new AbortController();
    this.#job = { work, abort };
    work.begin();
    this.#host.changed(work);
    this.#lookAhead();
    this.#fetchAhead();
    try {
      const begin = performance.now();
      const blob = work.blob ?? await work.entry.blob(abort.signal);
      if (version !== work.version) return;
      const result = await scorer.score(blob, work.asked, { signal: abort.signal, priority: () => (work.isEdited ? 2 : 1) });
      this.#failures = 0;
      if (version !== work.version) return;
      if (JSON.stringify(runOf(scorer.info)) !== JSON.stringify(runOf(info)) || result.crops !== info.crops) {
        this.drop(work); // The settings changed meanwhile, so it is not known which ones the result has.
        return;
      }
      this.#times = [...this.#times, performance.now() - begin].slice(-WINDOW);
      const { device, dtype, modelHash, preprocessing } = info;
      const provenance = { device, dtype, modelHash, preprocessing };
      if (key) this.#reader.results?.put(key, result, provenance);
      this.#finish(work, result, provenance, false);
    } catch (error) {
      this.#fail(work, version, error);
    } finally {
      this.#job = null;
      this.#host.changed(work);
    }
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

  /**
   * @param {Work} work
   * @param {number} version
   * @param {unknown} error
   */
  #fail(work, version, error) {
    if (version !== work.version) return;
    const code = error instanceof Error && "code" in error ? error.code : null;
    const message = sentenceOf(error, work);
    if (this.#isBroken) return this.drop(work);
    this.#failures = code === "device" ? this.#failures + 1 : 0;
    if (code === "closed" || code === "model" || this.#failures >= FAILURES_TO_STOP) {
      this.drop(work);
      if (code === "closed") this.#scorer = null;
      else this.#stop(message);
      return;
    }
    if (isAbort(error)) work.stop(); // Another user of the scorer stopped it, and would stop it again.
    else work.fail(message);
    this.#host.changed(work);
  }

  /** @param {string} message */
  #stop(message) {
    this.isPaused = true;
    this.#failures = 0;
    this.#host.notice(`scoring has stopped: ${message}; the images wait; resume to try again`);
  }
}

/** @param {import("./types.js").ScorerInfo} info */
function runOf({ modelHash, crops, preprocessing }) {
  return { modelHash, crops, preprocessing };
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
