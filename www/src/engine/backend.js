// @ts-check
// backend.js — chooses the wasm module at run time, checks it, and loads the model. Runs in the worker.

import { isAbort, messageOf, ScoreError } from "./errors.js";
import { cpuModule, hasSimd } from "./simd.js";

/**
 * @typedef {import("./protocol.js").StartRequest} StartRequest
 * @typedef {import("../model/bundle.js").Bundle} Bundle
 * @typedef {import("./protocol.js").ModuleScorer} ModuleScorer
 */

/** The module, or the GPU under it, can no longer be trusted: the worker must be replaced. */
export class Fault extends Error {}

/** Ends the work in progress with a {@link Fault}. A panic inside wasm never settles its promise, so the events that follow it must. @type {(message: string) => void} */
let fail = () => {};
self.addEventListener("error", (event) => {
  event.preventDefault();
  fail(event.message.replace(/^Uncaught /, ""));
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  fail(messageOf(event.reason));
});

/**
 * Opens the scorer on the wanted device; "auto" falls back to the CPU and says why.
 * @param {StartRequest} request
 * @param {Promise<Bundle>} bundle  on its way meanwhile
 * @param {(answer: import("./protocol.js").Starting) => void} tell
 */
export async function openScorer(request, bundle, tell) {
  if (!hasSimd()) throw new ScoreError("device", "this browser's WebAssembly has no SIMD, which scoring needs: use a browser of 2023 or later");
  const { device, reason } = request;
  if (device === "cpu") return open(request, "cpu", null, reason, bundle, tell);
  try {
    const card = await graphicsCard(device);
    return await open(request, "webgpu", card, null, bundle, tell);
  } catch (error) {
    // A module that crashed leaves this worker in no state to go on, and a wrong model is wrong on the CPU too.
    if (device === "webgpu" || error instanceof Fault || error instanceof ScoreError || isAbort(error)) throw error;
    return open(request, "cpu", null, messageOf(error), bundle, tell);
  }
}

/**
 * @param {StartRequest} request
 * @param {"webgpu" | "cpu"} backend
 * @param {string | null} card  what the browser calls it
 * @param {string | null} reason
 * @param {Promise<Bundle>} bundle
 * @param {(answer: import("./protocol.js").Starting) => void} tell
 */
async function open({ modules, crops }, backend, card, reason, bundle, tell) {
  tell({ type: "starting", backend });
  /** @type {(fault: Fault) => void} */
  let interrupt = () => {};
  /** @type {Promise<never>} */
  const fault = new Promise((_, reject) => {
    fail = (message) => {
      const error = new Fault(message);
      interrupt(error);
      reject(error);
    };
  });
  fault.catch(() => {}); // Whoever works when it comes hears it; while nobody does, the worker itself.
  if (backend === "webgpu") watchGpu(fail);

  // By Promise.race, the fault, which hardly ever settles, would hold on to each result: engines keep a raced promise's reactions.
  /** @type {<T>(work: () => Promise<T>) => Promise<T>} */
  const guarded = (work) => new Promise((resolve, reject) => {
    interrupt = reject;
    work().then(resolve, (error) => reject(isFault(error) ? new Fault(messageOf(error)) : error));
  });
  const files = modules[backend === "cpu" ? cpuModule() : backend];
  const { preprocess, hash, fromCache, scorer } = await guarded(async () => {
    /** @type {import("./protocol.js").ScorerModule} */
    const module = await import(/* @vite-ignore */ files.glue);
    await module.default({ module_or_path: files.wasm });
    if (backend === "webgpu") await module.Scorer.selfCheck();
    const { read, ...rest } = await bundle;
    const isHashed = rest.hash !== null; // as every file of the bundle, then
    const scorer = await module.Scorer.load(read, crops === null ? { isHashed } : { isHashed, crops }).catch((error) => {
      throw refused(error);
    });
    return { ...rest, scorer };
  });
  const info = scorer.info();
  // wgpu is told no name in browsers.
  const device = card ? `webgpu: ${card}` : info.device;
  return {
    fault,
    /** @type {import("./protocol.js").Info} */
    info: { ...info, device, modelHash: hash ?? info.model.split("sha256:")[1] ?? "", preprocessing: preprocess, reason, fromCache },
    /** @type {ModuleScorer["score"]} */
    score: async (image, prompt, crops) => ({ ...(await guarded(() => scorer.score(image, prompt, crops))), device }),
  };
}

/** What is wrong with the bundle is wrong everywhere; anything else may work on another device. @param {unknown} error */
function refused(error) {
  const message = messageOf(error);
  if (/^\d+ crops/.test(message)) return new ScoreError("argument", message, { cause: error });
  return /^(model bundle|tensor|the checkpoint|no CLIP|not a safetensors|unsupported model)/.test(message)
    ? new ScoreError("model", message, { cause: error })
    : error;
}

/** Its name, or an error that says why it cannot be used. @param {import("./protocol.js").DeviceChoice} device */
async function graphicsCard(device) {
  if (!self.isSecureContext) throw new Error("WebGPU needs a page served over https");
  if (!navigator.gpu) throw new Error("this browser has no WebGPU");
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new Error("the browser offers no graphics adapter to WebGPU");
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  // SwiftShader computes WebGPU on the CPU, slower than our own CPU kernels. Asked for by name, it is used all the same.
  const isSoftware = isFallbackAdapter || (vendor === "google" && architecture === "swiftshader");
  if (isSoftware && device === "auto") throw new Error("WebGPU runs in software here, slower than the CPU");
  return description || `${vendor} ${architecture}`.trim();
}

/**
 * Reports what wgpu cannot: validation errors come as an event while a wrong result is read back as if it were right.
 * @param {(message: string) => void} fail
 */
function watchGpu(fail) {
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    device.addEventListener("uncapturederror", ({ error }) => fail(error.message.split("\n", 1)[0]));
    // The module keeps its one device until the worker ends, so no loss is meant.
    device.lost.then(({ reason, message }) => fail(`the graphics device was lost: ${message || reason || "no reason given"}`));
    return device;
  };
}

/** @param {unknown} error */
function isFault(error) {
  return error instanceof Error
    && (error.name === "RuntimeError" || error.message.startsWith("panic") || error.message.startsWith("the device failed"));
}
