// stand-in.mjs — a scorer with the engine's queue and a worker without a model, for tests of what surrounds it.

import { Queue } from "../../www/src/engine/queue.js";

/** Scores follow from an image's name, which its bytes are, and its prompt. */
export class StandIn extends EventTarget {
  info = { device: "stand-in", dtype: "f32", crops: 15, modelHash: "0123456789abcdef".repeat(4), preprocessing: "stand-in" };
  seen = [];
  prompts = [];
  /** Prompts in images' metadata, and errors, by name. */
  inImage = new Map();
  failing = new Map();
  aborted = 0;
  mostAtOnce = 0;
  isFree = true;
  queue = new Queue(this);
  #atOnce = 0;
  #free = Infinity;
  #wake = [];

  async score(job, { prompt, crops }, bytes) {
    this.isFree = false;
    this.#atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#atOnce);
    let isDone = false;
    const aborted = new Promise((resolve) => job.signal.addEventListener("abort", () => {
      if (!isDone) this.aborted += 1;
      resolve();
    }));
    const name = new TextDecoder().decode(await bytes);
    this.seen.push(name);
    this.prompts.push(prompt);
    await Promise.race([this.#turn(), aborted]);
    this.#atOnce -= 1;
    this.isFree = true;
    isDone = true;
    if (!job.isSettled) this.#free -= 1;
    this.queue.wake();
    if (this.failing.has(name)) job.fail(this.failing.get(name));
    else job.finish(this.scoreOf(name, prompt, crops));
  }

  scoreOf(name, prompt, crops = this.info.crops) {
    const text = prompt ?? this.inImage.get(name) ?? null;
    const source = prompt !== null ? "argument" : text === null ? null : "parameters";
    const { device } = this.info;
    return {
      prompt: text, promptSource: source, promptTruncated: false, width: 64, height: 48, crops, device, model: "stand-in",
      warning: null, notes: [], perception: task(name), alignment: text ? task(`${name} ${text}`) : null, elapsedMs: 5,
    };
  }

  configure(changes) {
    this.info = { ...this.info, ...changes };
    this.tell("ready");
  }

  tell(state) {
    this.dispatchEvent(new CustomEvent("state", { detail: { type: "state", state, message: "" } }));
  }

  /** Calls wait for `release`. */
  hold() {
    this.#free = 0;
  }

  /** Lets so many calls through. */
  release(count = Infinity) {
    this.#free = count;
    for (const wake of this.#wake.splice(0)) wake();
  }

  async #turn() {
    while (this.#free <= 0) await new Promise((resolve) => this.#wake.push(resolve));
  }
}

/** An image whose bytes are its content's name. */
export function entry(path, content = path.split("/").at(-1)) {
  return { name: path.split("/").at(-1), path, blob: async () => new Blob([content]) };
}

/** Between 0 and 5, always the same for the same text. */
export function scoreFor(text) {
  let hash = 2166136261;
  for (const char of text) hash = Math.imul(hash ^ char.charCodeAt(0), 16777619) >>> 0;
  return (hash / 2 ** 32) * 5;
}

function task(text) {
  const score = scoreFor(text);
  const p = [0.1, 0.2, 0.3, 0.2, 0.2];
  return {
    score, alpha: 0.5, qImage: score, qPatches: score - 0.5, qFine: 0.25, levels: ["bad", "poor", "fair", "good", "perfect"],
    pImage: p, pPatches: p, wImage: 0.25, wPatches: 0.2, words: [], patches: [{ x: 0, y: 0, width: 64, height: 48, p }],
  };
}

/** Rejects when it does not come true; a test that waits for it then fails with what was waited for. */
export async function until(isTrue, patience_ms = 10_000) {
  const end = performance.now() + patience_ms;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`never came true: ${isTrue}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
