// @ts-check
// host.js — starts the worker, gives it images, and replaces it after a crash.

import { errorOf, messageOf, ScoreError } from "../common/errors.js";

/**
 * @typedef {import("./protocol.js").Answer} Answer
 * @typedef {import("./protocol.js").Info} Info
 * @typedef {import("./job.js").Job} Job
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
 * @property {(jobs: Job[]) => void} onAgain  the worker ended, and the next worker must score these images
 * @property {(error: Error) => void} onFailed  the worker ended, and there is no next one
 * @property {(event: import("./protocol.js").ScorerEvent) => void} onEvent
 */

/** The time after which a graphics card is considered hung. The slowest one that we saw, an emulated one, needs 11 s for its first image. */
const GPU_DEADLINE_MS = 120_000;
/** The number of images in a worker on WebGPU: while the graphics card computes one, the next one is decoded and cut. */
const GPU_IMAGES = 2;
/** The number of crashes between images after which the host gives up. */
const IDLE_CRASHES = 3;

export class WorkerHost {
  #settings;
  #listener;
  /** @type {Worker | undefined} */ #worker;
  /** The images in the worker by id, in the order in which it got them. @type {Map<number, Job>} */ #working = new Map();
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
    return this.isReady && this.#working.size < (this.#backend === "webgpu" ? GPU_IMAGES : 1);
  }

  /** Starts a worker, or replaces it by one with other settings. Images in progress are scored again. @param {Partial<Settings>} changes */
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
    const working = [...this.#working.values()].filter((job) => !job.isSettled);
    this.#working.clear();
    if (working.length > 0) this.#listener.onAgain(working);
  }

  /**
   * Scores an image. Call it only while {@link isFree}.
   * @param {Job} job
   * @param {import("./job.js").Asked} asked
   * @param {Promise<ArrayBuffer>} bytes
   */
  score(job, { prompt, crops }, bytes) {
    const { id } = job;
    const worker = this.#worker;
    this.#working.set(id, job);
    this.#watch();
    bytes.then((image) => {
      if (worker !== this.#worker) return;
      if (job.isSettled) this.#leave(id);
      else this.#post({ type: "score", id, image, prompt, crops: crops ?? this.#settings.crops }, [image]);
    }, (error) => {
      if (worker !== this.#worker) return;
      const message = `the file could not be read (${messageOf(error)}): it was changed or moved since it was chosen; choose it again`;
      this.#leave(id)?.fail(new ScoreError("image", message));
    });
  }

  /** Expects an answer of the graphics card in time, while it has an image. */
  #watch() {
    clearTimeout(this.#deadline);
    if (this.#backend !== "webgpu" || this.#working.size === 0) return;
    this.#deadline = setTimeout(() => this.#crashed("device", `the graphics card did not answer for ${GPU_DEADLINE_MS / 1000} s`), GPU_DEADLINE_MS);
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

  /** @param {import("./protocol.js").Request} request @param {Transferable[]} [transferred] */
  #post(request, transferred = []) {
    this.#worker?.postMessage(request, transferred);
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
        this.#scored(answer);
        break;
      case "error":
        this.#leave(answer.id)?.fail(errorOf(answer.code, answer.message));
        break;
      case "fatal":
        this.#crashed(answer.code, answer.message);
        break;
    }
  }

  /** @param {import("./protocol.js").Scored} answer */
  #scored({ id, result }) {
    const job = this.#leave(id);
    if (!job) return;
    job.finish(result);
    this.#listener.onEvent({ type: "scored", result });
  }

  /** Takes an image out of the worker and returns its job, or null if the caller has aborted it. @param {number} id */
  #leave(id) {
    const job = this.#working.get(id);
    this.#working.delete(id);
    this.#watch();
    this.#listener.onFree();
    return job && !job.isSettled ? job : null;
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
   * Replaces a worker that crashed. A graphics card gets a second worker; then the CPU takes over. The images in progress go to the
   * next worker. If two workers on the CPU crash at the same image, the image is rejected.
   * @param {import("./protocol.js").FailureCode} code
   * @param {string} message
   */
  #crashed(code, message) {
    const wasReady = this.isReady;
    const onGpu = this.#backend === "webgpu" && this.#reason === null && this.#settings.device !== "cpu";
    const [working] = [...this.#working.values()].filter((job) => !job.isSettled);
    if (working && wasReady && !onGpu && ++working.crashes > 1) {
      working.fail(new ScoreError("image", `the scorer stopped at this image twice: ${message}`));
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
