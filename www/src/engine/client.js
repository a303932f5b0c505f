// @ts-check
/// <reference lib="esnext.disposable" preserve="true" />
// client.js — the scorer of the library: it takes images, and returns scores and events.

import { modelAddress } from "../model/address.js";
import { reasonOf, ScoreError } from "../common/errors.js";
import { scoreAll } from "./all.js";
import { WorkerHost } from "./host.js";
import { filesOfLibrary, modelBesideLibrary } from "./files.js";
import { readable } from "./images.js";
import { Calls } from "./calls.js";
import { Queue } from "./queue.js";

/**
 * @typedef {import("./protocol.js").Info} Info
 * @typedef {import("./protocol.js").Result} Result
 * @typedef {import("./protocol.js").ScorerOptions} ScorerOptions
 * @typedef {import("./protocol.js").ScorerEvent} ScorerEvent
 */

const DEVICES = ["auto", "webgpu", "cpu"];

/**
 * Loads a model and resolves to a scorer. Meanwhile, `onEvent` is called for each event.
 * @param {ScorerOptions} [options]
 * @returns {Promise<Scorer>} rejects with a {@link ScoreError}, or with an `AbortError` if `signal` aborts the loading or the user declines the download
 */
export async function createScorer(options = {}) {
  const { signal } = options;
  signal?.throwIfAborted();
  const scorer = new Scorer(options);
  const abort = () => scorer.close(reasonOf(/** @type {AbortSignal} */ (signal)));
  signal?.addEventListener("abort", abort);
  try {
    await scorer.ready;
    return scorer;
  } catch (error) {
    scorer.close();
    throw error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * A scorer, as {@link createScorer} makes it. It sends the CustomEvents "progress", "state", "notice" and "scored". The type of an
 * event is also the `type` of its `detail`.
 */
export class Scorer extends EventTarget {
  #host;
  #calls = new Calls();
  /** Galleries add themselves to it as sources. @type {Queue} */ queue;
  /** The number of crops of each task; null: that of the model. @type {number | null} */ #crops;
  /** @type {Info | null} */ #info = null;
  /** Why the scorer can no longer score. @type {Error | null} */ #end = null;
  #isClosed = false;
  /** Resolves when the model is loaded. @type {Promise<void>} */ ready = Promise.resolve();
  #isReady = () => {};
  /** @type {(error: Error) => void} */ #isFailed = () => {};

  /** @param {ScorerOptions} options */
  constructor({ model, device = "auto", crops, confirmDownload, onEvent, files }) {
    super();
    check({ device, crops });
    if (typeof Worker === "undefined") throw new ScoreError("device", "there are no workers here: a scorer needs a browser; on a server import it, and create it in the page");
    // An error that a listener throws does not reach this class.
    for (const type of onEvent ? ["progress", "state", "notice", "scored"] : []) {
      this.addEventListener(type, (event) => onEvent?.(/** @type {CustomEvent<ScorerEvent>} */ (event).detail));
    }
    this.#crops = crops ?? null;
    this.#host = new WorkerHost({
      model: modelOf(model ?? modelBesideLibrary(files)),
      device,
      crops: crops ?? null,
      confirmDownload: confirmDownload ?? null,
      files: filesOfLibrary(files),
    }, {
      onReady: (info) => {
        this.#info = this.#crops === null ? info : { ...info, crops: this.#crops };
        this.#isReady();
      },
      onFree: () => this.queue.wake(),
      onAgain: (jobs) => this.queue.again(jobs),
      onFailed: (error) => this.#stop(error),
      onEvent: (event) => this.#tell(event),
    });
    this.queue = new Queue(this.#host);
    this.queue.add(this.#calls);
    this.#start({});
  }

  /** The loaded model and its device. It is another object after a change of the settings. */
  get info() {
    if (!this.#info) throw new ScoreError("not-ready", "the scorer has not loaded its model yet: wait for its property ready");
    return this.#info;
  }

  get isClosed() {
    return this.#isClosed;
  }

  /**
   * Scores an image.
   * @param {import("./protocol.js").ImageSource} image
   * @param {string | null} [prompt]  the text that the image was generated from; null: read it from the image's metadata; blank: no prompt
   * @param {import("./protocol.js").ScoreOptions} [options]
   * @returns {Promise<Result>} rejects with a {@link ScoreError}, or with the reason of the signal, an `AbortError` by default
   */
  async score(image, prompt = null, options = {}) {
    const { signal, crops } = options;
    check({ prompt, crops, maxCrops: this.#info?.maxCrops });
    signal?.throwIfAborted();
    const given = await readable(image);
    signal?.throwIfAborted();
    if (this.#end) throw this.#end;
    return this.#calls.add(given, prompt, options, () => this.queue.wake());
  }

  /**
   * Scores images and yields a result or an error for each, in the order of the input. It reads only a few images ahead, so the
   * input may be endless. If the caller leaves the loop early, the images in progress are aborted.
   * @param {Iterable<import("./protocol.js").ScoreInput> | AsyncIterable<import("./protocol.js").ScoreInput>} images
   * @param {import("./protocol.js").ScoreOptions} [options]  for each image
   * @returns {AsyncGenerator<import("./protocol.js").ScoreOutput, void, void>} throws only if all images are concerned: after an abort, or if the scorer was closed
   */
  scoreAll(images, options = {}) {
    return scoreAll(this, images, options);
  }

  /**
   * Changes the device or the number of crops. Waiting images are scored with the new settings. A change of the device loads the
   * model again, and the image in progress starts again.
   * @param {{ device?: import("./protocol.js").DeviceChoice, crops?: number }} changes
   */
  async configure(changes) {
    if (this.#isClosed) throw this.#end;
    check({ ...changes, maxCrops: this.#info?.maxCrops });
    const { crops } = changes;
    if ("crops" in changes) this.#crops = crops ?? null;
    if (crops !== undefined && changes.device === undefined && this.#info && this.#host.isReady) {
      this.#host.setCrops(crops);
      this.#info = { ...this.#info, crops };
      this.#tell({ type: "state", state: "ready", message: "ready" });
      return;
    }
    this.#end = null;
    this.#start(changes);
    await this.ready;
  }

  /** Ends the worker and frees the memory of the model. Waiting calls are rejected. @param {Error} [why]  their error; default: a {@link ScoreError} */
  close(why = new ScoreError("closed", "the scorer was closed")) {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#end = null; // `why` replaces an earlier failure.
    this.#host.stop();
    this.#stop(why);
  }

  /** For `using`. */
  [Symbol.dispose]() {
    this.close();
  }

  /** @param {{ device?: import("./protocol.js").DeviceChoice, crops?: number }} changes */
  #start(changes) {
    this.ready = new Promise((resolve, reject) => {
      const [ready, failed] = [this.#isReady, this.#isFailed];
      // Calls that wait for the previous settings get the result of these.
      this.#isReady = () => (ready(), resolve());
      this.#isFailed = (error) => (failed(error), reject(error));
    });
    this.ready.catch(() => {}); // A caller need not handle it.
    this.#host.start(changes);
  }

  /** @param {Error} why */
  #stop(why) {
    this.#end ??= why;
    this.#isFailed(why);
    this.#calls.reject(why);
    this.queue.reject(why);
  }

  /** @param {ScorerEvent} event */
  #tell(event) {
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
  }
}

/**
 * Checks settings at run time: an attribute in HTML can have any value.
 * @param {{ device?: string, crops?: number, maxCrops?: number, prompt?: unknown }} settings
 */
function check({ device = "auto", crops = 1, maxCrops, prompt = null }) {
  /** @param {string} message */
  const wrong = (message) => new ScoreError("argument", message);
  if (!DEVICES.includes(device)) throw wrong(`unknown device ${JSON.stringify(device)}: expected ${DEVICES.join(", ")}`);
  if (!Number.isInteger(crops) || crops < 1) throw wrong(`${crops} crops: expected a whole number from 1, such as 1, 5 or 15`);
  if (maxCrops !== undefined && crops > maxCrops) throw wrong(`${crops} crops: expected 1 to ${maxCrops}, the number of crop positions in the smallest image`);
  if (prompt !== null && typeof prompt !== "string") throw wrong(`the prompt is of type ${typeof prompt}: expected a string, or null to read it from the image`);
}

/**
 * @param {import("./protocol.js").ModelSource} model
 * @returns {string | File[] | FileSystemDirectoryHandle}
 */
function modelOf(model) {
  if (typeof model === "string" || model instanceof URL) return modelAddress(model);
  if (Array.isArray(model) || (typeof FileList !== "undefined" && model instanceof FileList)) return [...model];
  if (typeof FileSystemDirectoryHandle !== "undefined" && model instanceof FileSystemDirectoryHandle) return model;
  throw new ScoreError("argument", `no model: expected the address of a model.json, a list of files or a folder, found ${typeof model}`);
}
