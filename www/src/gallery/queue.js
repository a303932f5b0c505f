// @ts-check
// queue.js — one image after the other, the most wanted one next: looked up in the store, else scored. Images from the network
// are fetched meanwhile, several at once, so that one that does not come keeps no other waiting.

import { isAbort } from "../engine/errors.js";
import { FETCHED } from "./reader.js";
import { askedOf, showPrompt } from "./work.js";

/**
 * @typedef {import("./types.js").Work} Work
 * @typedef {import("./types.js").Scorer} Scorer
 *
 * @typedef {object} Host  whose images they are
 * @property {import("./wanted.js").Wanted} wanted
 * @property {(work: Work) => void} changed
 * @property {(message: string) => void} notice
 * @property {() => void} outdated  the model or the crops are others than before
 */

/** Of so many images the median time is taken: it follows a change of device soon, and one slow image does not move it. */
const WINDOW = 15;
/** So many images in a row whose device failed, and the device is to blame, not the images. */
const FAILURES_TO_STOP = 3;
/** Images of one server that are fetched in advance. A browser opens six connections to it; thumbnails need some, too. */
const FETCHED_OF_SERVER = 4;

export class Queue {
  /** @type {Scorer | null} */ #scorer = null;
  /** @type {{ work: Work, abort: AbortController } | null} */ #job = null;
  /** @type {number[]} */ #times = [];
  #runs = "";
  #failures = 0;
  #wakeUp = () => {};
  #isScoring = false;
  #isLooking = false;
  isPaused = false;
  /** The scorer says that nothing can score any more, so the images wait for another one. */
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

  /** Milliseconds an image. */
  get median() {
    const sorted = this.#times.toSorted((a, b) => a - b);
    return sorted.length ? (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2 : null;
  }

  /** Whatever is being done for this image counts no more; it waits. @param {Work} work */
  drop(work) {
    work.version += 1;
    work.isPrepared = false;
    work.key = null;
    if (this.#job?.work === work) this.#job.abort.abort();
    if (work.item.status === "working") work.item.status = "waiting";
  }

  /** To be called when there may be something to do. */
  wake() {
    this.#wakeUp();
    this.#compareRuns();
    this.#score();
    this.#lookAhead();
    this.#fetchAhead();
  }

  /** A scorer can be told to use other crops, and then says so here. */
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
      else await Promise.race([this.#prepare(work), this.#woken()]); // Then it is scored, or another one is wanted more by now.
      this.#compareRuns();
    }
    this.#isScoring = false;
  }

  /** An image that is slow to come must not keep waiting one whose prompt was just edited. @returns {Promise<void>} */
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

  /** While one is scored, the next one is read; and where earlier visits or other crops left results, all are looked up. */
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
    work.item.status = "working";
    this.#host.changed(work);
    this.#lookAhead();
    this.#fetchAhead();
    try {
      const begin = performance.now();
      const blob = work.blob ?? await work.entry.blob(abort.signal);
      if (version !== work.version) return;
      const result = await scorer.score(blob, askedOf(work), { signal: abort.signal, priority: () => (work.isEdited ? 2 : 1) });
      this.#failures = 0;
      if (version !== work.version) return;
      if (JSON.stringify(runOf(scorer.info)) !== JSON.stringify(runOf(info)) || result.crops !== info.crops) {
        this.drop(work); // The crops were changed meanwhile: which ones it has is not sure.
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
    work.isEdited = false;
    work.blob = null;
    const { width, height, elapsedMs } = result;
    Object.assign(work.item, { status: "scored", error: null, result, provenance, fromStore, width, height, elapsedMs });
    showPrompt(work);
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
    if (isAbort(error)) {
      this.drop(work);
      work.item.isHeld = true; // Who shares the scorer stopped it; trying again would only be stopped again.
    } else Object.assign(work.item, { status: "failed", error: message, result: null, provenance: null, fromStore: false, elapsedMs: null });
    work.isEdited = false;
    work.blob = null;
    this.#host.changed(work);
  }

  /** @param {string} message */
  #stop(message) {
    this.isPaused = true;
    this.#failures = 0;
    this.#host.notice(`scoring has stopped: ${message}; the images wait, resume to try again`);
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
    return `${item.name} cannot be read any more: it was moved, changed or deleted since it was added; add it again`;
  }
  return error instanceof Error ? error.message : String(error);
}
