// @ts-check
// backend.js — chooses a device and its wasm module, checks the device, and loads the model. It runs in the worker.

import { isAbort, messageOf, ScoreError } from "../common/errors.js";
import { formatOfBrowser, pixelsOf } from "./decode.js";
import { cpuModule, hasSimd } from "./simd.js";

/**
 * @typedef {import("./protocol.js").StartRequest} StartRequest
 * @typedef {import("../model/bundle.js").Bundle} Bundle
 * @typedef {import("./protocol.js").ModuleScorer} ModuleScorer
 */

/** The module or its GPU failed in the middle of a computation, so the worker must be replaced. */
export class Fault extends Error {}

/** How long the cause of a fault is waited for. After the loss of a device, its calls fail and the browser reports the loss, in any order. */
const CAUSE_MS = 200;

/** Rejects the calls in progress with a {@link Fault}. After a panic, wasm does not settle its promise; the browser only reports an event. @type {(message: string) => void} */
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
 * Opens a scorer on the chosen device. "auto" takes WebGPU if it works, and else the CPU.
 * @param {StartRequest} request
 * @param {Promise<Bundle>} bundle
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
    // Only an error of the device can be avoided on the CPU. After a fault, another worker must take over.
    const isOfDevice = !(error instanceof Fault || isAbort(error)) && (!(error instanceof ScoreError) || error.code === "device");
    if (device === "webgpu" || !isOfDevice) throw error;
    return open(request, "cpu", null, messageOf(error), bundle, tell);
  }
}

/**
 * @param {StartRequest} request
 * @param {"webgpu" | "cpu"} backend
 * @param {string | null} card  the name of the graphics card
 * @param {string | null} reason
 * @param {Promise<Bundle>} bundle
 * @param {(answer: import("./protocol.js").Starting) => void} tell
 */
async function open({ modules, crops }, backend, card, reason, bundle, tell) {
  tell({ type: "starting", backend });
  /** The rejections of the calls in progress. @type {Set<(fault: Fault) => void>} */
  const interrupts = new Set();
  /** @type {Promise<never>} */
  const fault = new Promise((_, reject) => {
    fail = (message) => {
      const error = new Fault(message);
      for (const interrupt of interrupts) interrupt(error);
      reject(error);
    };
  });
  fault.catch(() => {}); // The calls in progress are rejected too. Between calls, the worker handles the fault.
  if (backend === "webgpu") watchGpu(fail);

  // `Promise.race` with a promise that never settles would keep all results in memory, as part of its reactions.
  /** @type {<T>(work: () => Promise<T>) => Promise<T>} */
  const guarded = (work) => new Promise((resolve, reject) => {
    interrupts.add(reject);
    work().then(resolve, async (error) => {
      const known = ofLibrary(error);
      if (known instanceof Fault) await new Promise((resolve) => setTimeout(resolve, CAUSE_MS));
      reject(known);
    }).finally(() => interrupts.delete(reject));
  });
  const files = modules[backend === "cpu" ? cpuModule() : backend];
  const { preprocess, hash, fromCache, scorer } = await guarded(async () => {
    /** @type {import("./protocol.js").ScorerModule} */
    const module = await import(/* @vite-ignore */ files.glue);
    await module.default({ module_or_path: files.wasm });
    if (backend === "webgpu") await module.Scorer.selfCheck();
    const { read, ...rest } = await bundle;
    const isHashed = rest.hash !== null; // Either all files of a bundle are hashed or none.
    const scorer = await module.Scorer.load(read, crops === null ? { isHashed } : { isHashed, crops });
    return { ...rest, scorer };
  });
  const info = scorer.info();
  // Browsers do not tell wgpu the name of the card.
  const device = card ? `webgpu: ${card}` : info.device;
  return {
    fault,
    /** @type {import("./protocol.js").Info} */
    info: { ...info, device, modelHash: hash ?? info.model.split("sha256:")[1] ?? "", preprocessing: preprocess, reason, fromCache },
    /** @param {Uint8Array<ArrayBuffer>} image @param {string | null} prompt @param {number} [crops] */
    score: async (image, prompt, crops) => {
      const format = formatOfBrowser(image);
      const pixels = format && (await pixelsOf(image, format));
      const score = () => pixels ? scorer.scorePixels(pixels, prompt, crops) : scorer.score(image, prompt, crops);
      return { ...(await guarded(score)), device };
    },
  };
}

/**
 * The library's error for an error of the wasm module. Other errors, such as those of the bundle, are returned unchanged.
 * @param {unknown} error
 */
function ofLibrary(error) {
  if (error instanceof WebAssembly.RuntimeError) return new Fault(error.message);
  if (!(error instanceof Error) || error instanceof ScoreError) return error;
  const { code } = /** @type {Partial<import("./protocol.js").ModuleError>} */ (error);
  if (typeof code !== "string") return error;
  return code === "fault" ? new Fault(error.message) : new ScoreError(code, error.message, { cause: error });
}

/** Returns the name of the graphics card. Throws if there is none that should be used. @param {import("./protocol.js").DeviceChoice} device */
async function graphicsCard(device) {
  if (!self.isSecureContext) throw new ScoreError("device", "WebGPU needs a page served over https");
  if (!navigator.gpu) throw new ScoreError("device", "this browser has no WebGPU");
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) throw new ScoreError("device", "the browser offers no graphics adapter to WebGPU");
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  // SwiftShader emulates a GPU on the CPU and is slower than our CPU kernels. It is used only if the caller asks for WebGPU.
  const isSoftware = isFallbackAdapter || (vendor === "google" && architecture === "swiftshader");
  if (isSoftware && device === "auto") throw new ScoreError("device", "WebGPU runs in software here, slower than the CPU");
  return description || `${vendor} ${architecture}`.trim();
}

/**
 * Reports validation errors and the loss of the device. WebGPU reports them as events, and wgpu would read back a wrong result.
 * @param {(message: string) => void} fail
 */
function watchGpu(fail) {
  const requestDevice = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (descriptor) {
    const device = await requestDevice.call(this, descriptor);
    device.addEventListener("uncapturederror", ({ error }) => fail(error.message.split("\n", 1)[0]));
    // The module keeps its device until the worker ends, so each loss is an error.
    device.lost.then(({ reason, message }) => fail(`the graphics device was lost: ${message || reason || "no reason given"}`));
    return device;
  };
}
