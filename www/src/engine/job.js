// @ts-check
// job.js — an image to score, with the state of its work. It settles once, whatever happens to the worker.
//
//   waiting → reading → read → scoring → settled
//
// A job whose worker crashed returns from scoring to read. A job whose image takes too much memory returns from read to waiting.

/**
 * @typedef {import("./protocol.js").Result} Result
 *
 * @typedef {object} Caller  who wants the score
 * @property {string | null} server  from which the image is fetched; null: it is a file, which is read soon
 * @property {() => number} priority  higher priorities are scored first
 * @property {(signal: AbortSignal) => Promise<Blob | null>} open  returns the image, or null if no score is needed any more
 * @property {() => Asked | null} begin  called when a worker takes the job; null: no score is needed any more
 * @property {(result: Result) => void} scored
 * @property {(error: Error) => void} failed
 *
 * @typedef {{ prompt: string | null, crops: number | null }} Asked
 *   `prompt` null: read it from the image's metadata; `crops` null: the scorer's number
 */

let ids = 0;

export class Job {
  id = (ids += 1);
  /** The number of crashes on the CPU while this image was scored. */
  crashes = 0;
  /** @type {"waiting" | "reading" | "read" | "scoring" | "settled"} */ #state = "waiting";
  /** The image from "read" on. @type {Blob | null} */ #image;
  #settling = new AbortController();
  #caller;

  /**
   * @param {Caller} caller
   * @param {Blob | null} [image]  if it is known already
   */
  constructor(caller, image = null) {
    this.#caller = caller;
    this.server = caller.server;
    this.priority = caller.priority;
    this.#image = image;
    if (image) this.#state = "read";
  }

  get state() {
    return this.#state;
  }

  get isSettled() {
    return this.#state === "settled";
  }

  get image() {
    return this.#image;
  }

  /** Aborts when the job settles. */
  get signal() {
    return this.#settling.signal;
  }

  /** Opens or fetches the image. It never rejects. */
  async read() {
    this.#state = "reading";
    try {
      const image = await this.#caller.open(this.signal);
      if (this.isSettled) return;
      if (!image) return this.cancel();
      this.#image = image;
      this.#state = "read";
    } catch (error) {
      this.fail(/** @type {Error} */ (error));
    }
  }

  /** Lets go of the image, which must be read again. */
  forget() {
    this.#state = "waiting";
    this.#image = null;
  }

  /** Returns what to score, or null if the job needs no score and is settled. */
  begin() {
    const asked = this.#caller.begin();
    if (asked) this.#state = "scoring";
    else this.cancel();
    return asked;
  }

  /** Returns the job to a queue after its worker ended. */
  again() {
    this.#state = "read";
  }

  /** @param {Result} result */
  finish(result) {
    if (this.cancel()) this.#caller.scored(result);
  }

  /** @param {Error} error */
  fail(error) {
    if (this.cancel()) this.#caller.failed(error);
  }

  /** Settles without an outcome. Returns whether it was not settled before. */
  cancel() {
    if (this.isSettled) return false;
    this.#state = "settled";
    this.#image = null;
    this.#settling.abort();
    return true;
  }
}
