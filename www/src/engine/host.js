// @ts-check
// host.js — starts the worker, gives it one image at a time, and replaces it after a crash.

import { errorOf, ScoreError } from "../common/errors.js";

/**
 * @typedef {import("./protocol.js").Answer} Answer
 * @typedef {import("./protocol.js").Info} Info
 * @typedef {import("./queue.js").Pending} Pending
 *
 * @typedef {object} Settings
 * @property {import("./protocol.js").StartRequest["model"]} model
 * @property {import("./protocol.js").DeviceChoice} device
 * @property {number | null} crops
 * @property {((bytes: number) => Promise<boolean> | boolean) | null} confirmDownload
 * @property {ReturnType<typeof import("./files.js").filesOfLibrary>} files
 *
 * @typedef {object} Listener
 * @property {(info: Info) => void} onReady
 * @property {() => void} onFree  the worker can take the next image
 * @property {(pending: Pending) => void} onAgain  the worker ended, and the next worker must score this image
 * @property {(error: Error) => void} onFailed  the worker ended, and there is no next one
 * @property {(event: import("./protocol.js").ScorerEvent) => void} onEvent
 */

/** The time after which a graphics card is considered hung. The slowest one that we saw, an emulated one, needs 11 s for its first image. */
const GPU_DEADLINE_MS = 120_000;
/** The number of crashes between images after which the host gives up. */
const IDLE_CRASHES = 3;

export class WorkerHost {
  #settings;
  #listener;
  /** @type {Worker | undefined} */ #worker;
  /** @type {Pending | null} */ #working = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #deadline;
  /** @type {"webgpu" | "cpu"} */ #backend = "cpu";
  /** Why the CPU took over from WebGPU. @type {string | null} */ #reason = null;
  isReady = false;
  #wasReady = false;
  #gpuCrashes = 0;
  #idleCrashes = 0;
  #isConfirmed = false;
  /** Shards that did not fit into the cache, for the next worker. @type {Map<string, Blob>} */ #kept = new Map();

  /**
   * @param {Settings} settings
   * @param {Listener} listener
   */
  constructor(settings, listener) {
    this.#settings = settings;
    this.#listener = listener;
  }

  get isFree() {
    return this.isReady && this.#working === null;
  }

  /** Starts a worker, or replaces it by one with other settings. An image in progress is scored again. @param {Partial<Settings>} changes */
  start(changes = {}) {
    this.#settings = { ...this.#settings, ...changes };
    this.#reason = null;
    this.#gpuCrashes = this.#idleCrashes = 0;
    this.#wasReady = false;
    this.stop();
    this.#start("loading", "starting …");
  }

  /** Sets the number of crops of the next images. @param {number} crops */
  setCrops(crops) {
    this.#settings.crops = crops;
  }

  stop() {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.isReady = false;
    clearTimeout(this.#deadline);
    const working = this.#working;
    this.#working = null;
    if (!working || working.isSettled) return;
    working.isAgain = true;
    this.#listener.onAgain(working);
  }

  /** Scores an image. Call it only while {@link isFree}. @param {Pending} pending  with the bytes of its image */
  score(pending) {
    this.#working = pending;
    const { id, image, prompt, crops } = pending;
    this.#post({ type: "score", id, image: /** @type {Blob} */ (image), prompt, crops: crops ?? this.#settings.crops });
    if (this.#backend === "webgpu") {
      this.#deadline = setTimeout(() => this.#crashed("device", `the graphics card did not answer for ${GPU_DEADLINE_MS / 1000} s`), GPU_DEADLINE_MS);
    }
  }

  /**
   * @param {"loading" | "recovering"} state
   * @param {string} message
   */
  #start(state, message) {
    this.#listener.onEvent({ type: "state", state, message });
    const { model, device, crops, files, confirmDownload } = this.#settings;
    // A worker from a blob has the Content-Security-Policy of the page. A worker from the network has that of its own response, and
    // static hosts send none. A blob can also import a script of another origin, such as a CDN.
    const script = URL.createObjectURL(new Blob([`import ${JSON.stringify(files.worker)};`], { type: "text/javascript" }));
    const worker = new Worker(script, { type: "module" });
    URL.revokeObjectURL(script);
    worker.onmessage = ({ data }) => this.#hear(worker, data);
    worker.onerror = ({ message }) => {
      const error = message || `its script could not be loaded from ${files.worker}: is it there (if not, set the option files), and does the page's Content-Security-Policy allow worker-src 'self' blob:?`;
      this.#hear(worker, { type: "fatal", code: "device", message: error });
    };
    this.#worker = worker;
    this.#post({
      type: "start",
      device: this.#reason === null ? device : "cpu",
      reason: this.#reason,
      crops,
      model,
      modules: files.modules,
      kept: this.#kept,
      mayAsk: confirmDownload !== null && !this.#isConfirmed,
    });
  }

  /** @param {import("./protocol.js").Request} request */
  #post(request) {
    this.#worker?.postMessage(request);
  }

  /**
   * @param {Worker} worker
   * @param {Answer} answer
   */
  #hear(worker, answer) {
    if (worker !== this.#worker) return; // A crash can be reported twice.
    switch (answer.type) {
      case "starting":
        this.#backend = answer.backend;
        this.#listener.onEvent({ type: "state", state: "loading", message: answer.backend === "webgpu" ? "checking the graphics card …" : "starting on the CPU …" });
        break;
      case "progress":
      case "notice":
        this.#listener.onEvent(answer);
        break;
      case "confirm":
        this.#ask(answer.bytes);
        break;
      case "kept":
        this.#kept.set(answer.hash, answer.blob);
        break;
      case "ready":
        this.isReady = this.#wasReady = true;
        this.#listener.onReady(answer.info);
        this.#listener.onEvent({ type: "state", state: "ready", message: answer.info.reason === null ? "ready" : `ready, without WebGPU: ${answer.info.reason}` });
        this.#listener.onFree();
        break;
      case "result":
        this.#done()?.resolve(answer.result);
        this.#listener.onFree();
        break;
      case "error":
        this.#done()?.reject(errorOf(answer.code, answer.message));
        this.#listener.onFree();
        break;
      case "fatal":
        this.#crashed(answer.code, answer.message);
        break;
    }
  }

  /** Ends the image in progress and returns it, or null if its caller has aborted it. */
  #done() {
    clearTimeout(this.#deadline);
    const working = this.#working;
    this.#working = null;
    return working?.isSettled ? null : working;
  }

  /** @param {number} bytes */
  async #ask(bytes) {
    const worker = this.#worker;
    // An error in the callback counts as no.
    const isWanted = await Promise.resolve(bytes).then(this.#settings.confirmDownload ?? (() => true)).catch(() => false);
    this.#isConfirmed ||= isWanted;
    if (worker === this.#worker) this.#post({ type: "confirmed", isWanted });
  }

  /**
   * Replaces a worker that crashed. A graphics card gets a second worker; then the CPU takes over. The image in progress goes to the
   * next worker. If two workers on the CPU crash at the same image, the image is rejected.
   * @param {import("./protocol.js").FailureCode} code
   * @param {string} message
   */
  #crashed(code, message) {
    const wasReady = this.isReady;
    const onGpu = this.#backend === "webgpu" && this.#reason === null && this.#settings.device !== "cpu";
    const working = this.#working?.isSettled ? null : this.#working;
    if (working && wasReady && !onGpu && ++working.crashes > 1) {
      this.#done()?.reject(new ScoreError("image", `the scorer stopped at this image twice: ${message}`));
    } else if (!working && wasReady) {
      this.#idleCrashes += 1;
    }
    this.stop();

    const mayUseCpu = onGpu && code === "device" && (this.#settings.device === "auto" || this.#wasReady);
    if (this.#idleCrashes > IDLE_CRASHES || (!wasReady && !mayUseCpu)) {
      const said = code === "device" ? `the scorer could not start: ${message}` : message;
      this.#listener.onEvent({ type: "state", state: "failed", message: said });
      this.#listener.onFailed(errorOf(code, said));
      return;
    }
    if (onGpu) this.#gpuCrashes += 1;
    if (mayUseCpu && (!wasReady || this.#gpuCrashes > 1)) this.#reason = `WebGPU stopped: ${message}`;
    this.#start("recovering", this.#reason === null ? `the scorer stopped and starts again: ${message}` : `the CPU takes over, as ${this.#reason}`);
  }
}
