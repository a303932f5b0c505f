// @ts-check
// client.js — the library's one object: images in, scores out, and events on the way.

import { WorkerHost } from "./host.js";
import { ScoreError } from "./errors.js";
import { filesOfLibrary, modelBesideLibrary } from "./files.js";
import { readable } from "./images.js";
import { Pending, Queue } from "./queue.js";

/**
 * @typedef {import("./protocol.js").Info} Info
 * @typedef {import("./protocol.js").Result} Result
 * @typedef {import("./protocol.js").ScorerOptions} ScorerOptions
 * @typedef {import("./protocol.js").ScorerEvent} ScorerEvent
 */

const DEVICES = ["auto", "webgpu", "cpu"];

/**
 * Loads a model and settles when it can score. What happens until then is heard by `onEvent`.
 * @param {ScorerOptions} [options]
 * @returns {Promise<Scorer>} rejects with a {@link ScoreError}
 */
export async function createScorer(options = {}) {
  const { signal } = options;
  const scorer = new Scorer(options);
  const abort = () => scorer.close(new ScoreError("aborted", "loading was aborted", { cause: signal?.reason }));
  if (signal?.aborted) abort();
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
 * Made by {@link createScorer}. Tells all that happens by CustomEvents named as the `type` of their `detail`: "progress",
 * "state", "notice", "scored".
 */
export class Scorer extends EventTarget {
  #host;
  #queue = new Queue(() => this.#next());
  #ids = 0;
  /** @type {Info | null} */ #info = null;
  /** Why nothing can be scored any more. @type {ScoreError | null} */ #end = null;
  /** Settles when the model is loaded. @type {Promise<void>} */ ready = Promise.resolve();
  #isReady = () => {};
  /** @type {(error: ScoreError) => void} */ #isFailed = () => {};

  /** @param {ScorerOptions} options */
  constructor({ model, device = "auto", crops, confirmDownload, onEvent, files }) {
    super();
    check({ device, crops });
    // As a listener, so that one that throws stops nothing.
    for (const type of onEvent ? ["progress", "state", "notice", "scored"] : []) {
      this.addEventListener(type, (event) => onEvent?.(/** @type {CustomEvent<ScorerEvent>} */ (event).detail));
    }
    this.#host = new WorkerHost({
      model: modelOf(model ?? modelBesideLibrary(files)),
      device,
      crops: crops ?? null,
      confirmDownload: confirmDownload ?? null,
      files: filesOfLibrary(files),
    }, {
      onReady: (info) => {
        this.#info = info;
        this.#isReady();
      },
      onFree: () => this.#next(),
      onAgain: (pending) => this.#queue.add(pending),
      onFailed: (error) => this.#stop(error),
      onEvent: (event) => this.#tell(event),
    });
    this.#start({});
  }

  /** What was loaded, and where it runs. It changes when the device does. */
  get info() {
    if (!this.#info) throw new ScoreError("closed", "the scorer is not ready");
    return this.#info;
  }

  /**
   * Scores an image.
   * @param {import("./protocol.js").ImageSource} image
   * @param {string | null} [prompt]  the text it was made from; null: what the image's own metadata says; blank: none
   * @param {import("./protocol.js").ScoreOptions} [options]
   * @returns {Promise<Result>} rejects with a {@link ScoreError}
   */
  async score(image, prompt = null, options = {}) {
    const { signal } = options;
    const given = await readable(image);
    if (signal?.aborted) throw new ScoreError("aborted", "scoring was aborted", { cause: signal.reason });
    if (this.#end) throw this.#end;
    this.#ids += 1;
    const pending = new Pending(this.#ids, given, prompt, options, () => this.#queue.delete(pending));
    this.#queue.add(pending);
    this.#next();
    const result = await pending.promise;
    this.#tell({ type: "scored", result });
    return result;
  }

  /**
   * Changes the device, or how many patches a task looks at. What waits goes on with the new settings, what is in work starts anew.
   * @param {{ device?: import("./protocol.js").DeviceChoice, crops?: number }} changes
   */
  async configure(changes) {
    if (this.#end?.code === "closed") throw this.#end;
    check(changes);
    this.#end = null;
    this.#start(changes);
    await this.ready;
  }

  /** Ends the worker and frees the model's memory; what waits is rejected. @param {ScoreError} [why] */
  close(why = new ScoreError("closed", "the scorer was closed")) {
    this.#end = null; // Closed is closed, even after a failure.
    this.#host.stop();
    this.#stop(why);
  }

  /** @param {{ device?: import("./protocol.js").DeviceChoice, crops?: number }} changes */
  #start(changes) {
    this.ready = new Promise((resolve, reject) => {
      const [ready, failed] = [this.#isReady, this.#isFailed];
      // Who waits for the settings before these gets what comes now.
      this.#isReady = () => (ready(), resolve());
      this.#isFailed = (error) => (failed(error), reject(error));
    });
    this.ready.catch(() => {}); // Nobody need wait for it.
    this.#host.start(changes);
  }

  /** @param {ScoreError} why */
  #stop(why) {
    this.#end ??= why;
    this.#isFailed(why);
    this.#queue.rejectAll(why);
  }

  #next() {
    if (!this.#host.isFree) return;
    const pending = this.#queue.next();
    if (pending) this.#host.score(pending);
  }

  /** @param {ScorerEvent} event */
  #tell(event) {
    this.dispatchEvent(new CustomEvent(event.type, { detail: event }));
  }
}

/** What TypeScript would refuse and an attribute in HTML may say. @param {{ device?: string, crops?: number }} settings */
function check({ device = "auto", crops = 1 }) {
  if (!DEVICES.includes(device)) throw new ScoreError("device", `unknown device ${JSON.stringify(device)}: expected ${DEVICES.join(", ")}`);
  if (!Number.isInteger(crops) || crops < 1) throw new ScoreError("model", `${crops} crops: expected a whole number from 1, such as 1, 5 or 15`);
}

/**
 * @param {import("./protocol.js").ModelSource} model
 * @returns {string | File[] | FileSystemDirectoryHandle}
 */
function modelOf(model) {
  if (typeof model === "string" || model instanceof URL) {
    if (!URL.canParse(String(model), document.baseURI)) throw new ScoreError("model", `${JSON.stringify(model)} is no address of a model.json`);
    return new URL(String(model), document.baseURI).href;
  }
  return Array.isArray(model) || (typeof FileList !== "undefined" && model instanceof FileList)
    ? [...model]
    : /** @type {FileSystemDirectoryHandle} */ (model);
}
