// @ts-check
// client.js — the page's end of the worker: one image in work, the newest one waiting, a new worker after a crash.

/**
 * @typedef {import("./protocol.js").ScoreRequest} ScoreRequest
 * @typedef {import("./protocol.js").Answer} Answer
 * @typedef {{ type: "restarting", error: string } | { type: "stopped", error: string }} Replaced
 */

/**
 * The worker's script, in a blob: a worker from a blob keeps the Content-Security-Policy of the page, while one from the
 * network has only what its own response's headers say, and a static host sends none.
 */
const WORKER = URL.createObjectURL(
  new Blob([`import ${JSON.stringify(new URL("./worker.js", import.meta.url))};`], { type: "text/javascript" }));

export class Client {
  /** @type {Worker | undefined} */ #worker;
  /** @type {ScoreRequest | null} */ #working = null;
  /** @type {ScoreRequest | null} */ #waiting = null;
  /** @type {"webgpu" | "cpu"} */ #backend = "webgpu";
  #isReady = false;
  #crashes = 0;
  /** Why no worker can be started; then no image can be scored. @type {string | null} */ #stopped = null;
  /** @type {{ device: import("./protocol.js").DeviceChoice, reason: string | null }} */ #choice;
  #tell;

  /**
   * @param {import("./protocol.js").DeviceChoice} device  what the visitor asked for
   * @param {(answer: Answer | Replaced) => void} tell
   */
  constructor(device, tell) {
    this.#choice = { device, reason: null };
    this.#tell = tell;
    this.#start();
  }

  /** Queues an image; one that still waits is dropped, as nobody looks at it any more. @param {Omit<ScoreRequest, "type">} request */
  score(request) {
    if (this.#stopped !== null) return this.#tell({ type: "error", id: request.id, error: this.#stopped });
    this.#waiting = { type: "score", ...request };
    this.#next();
  }

  #start() {
    this.#isReady = false;
    const worker = new Worker(WORKER, { type: "module" });
    worker.onmessage = ({ data }) => this.#hear(worker, data);
    worker.onerror = ({ message }) =>
      this.#hear(worker, { type: "fatal", id: null, error: message || "the worker could not be loaded" });
    worker.postMessage({ type: "start", ...this.#choice });
    this.#worker = worker;
  }

  /**
   * @param {Worker} worker
   * @param {Answer} answer
   */
  #hear(worker, answer) {
    if (worker !== this.#worker) return; // A crash can be reported twice; its worker is gone by then.
    if (answer.type === "fatal") return this.#replace(answer.error);
    if (answer.type === "starting") this.#backend = answer.backend;
    if (answer.type === "ready") this.#isReady = true;
    if (answer.type === "result" || answer.type === "error") this.#working = null;
    this.#tell(answer);
    this.#next();
  }

  #next() {
    if (!this.#isReady || this.#working || !this.#waiting) return;
    this.#working = this.#waiting;
    this.#waiting = null;
    this.#worker?.postMessage(this.#working, [this.#working.image.buffer]);
  }

  /**
   * Replaces a worker that crashed. The image it worked on is reported and not tried again by itself.
   * The first crash while scoring gets the same device again, a second one on WebGPU the CPU.
   * @param {string} error
   */
  #replace(error) {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#crashes += 1;
    const mayUseCpu = this.#choice.device === "auto" && this.#backend === "webgpu";
    if (!this.#isReady && !mayUseCpu) {
      this.#stopped = `the scorer could not start: ${error}; reload the page to try again`;
      this.#tell({ type: "stopped", error: this.#stopped });
      return;
    }
    this.#tell({ type: "restarting", error });
    if (this.#working) this.#tell({ type: "error", id: this.#working.id, error: `the scorer stopped at this image and was started again: ${error}` });
    this.#working = null;
    if (mayUseCpu && (!this.#isReady || this.#crashes > 1)) this.#choice = { device: "cpu", reason: `WebGPU stopped: ${error}` };
    this.#start();
  }
}
