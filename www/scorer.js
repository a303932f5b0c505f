// @ts-check
// scorer.js — chooses the backend at run time, checks it, and loads the model. Runs in the worker.

/** @typedef {import("./protocol.js").Info} Info */

/** The module, or the GPU under it, can no longer be trusted: the worker must be replaced. */
export class Fault extends Error {}

/** Ends the work in progress with a {@link Fault}. A panic inside wasm never settles its promise, so the events that follow it must. */
/** @type {(message: string) => void} */
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
 * @param {import("./protocol.js").StartRequest} request
 * @param {(answer: import("./protocol.js").Starting | import("./protocol.js").Progress) => void} tell
 */
export async function openScorer({ device, reason }, tell) {
  if (device === "cpu") return open("cpu", reason, tell);
  try {
    const unfit = await whyNoWebGpu(device);
    if (unfit !== null) throw new Error(unfit);
    return await open("webgpu", null, tell);
  } catch (error) {
    if (device === "webgpu") throw error;
    return open("cpu", `${error instanceof Fault ? "WebGPU stopped: " : ""}${messageOf(error)}`, tell);
  }
}

/**
 * @param {"webgpu" | "cpu"} backend
 * @param {string | null} note
 * @param {Parameters<typeof openScorer>[1]} tell
 */
async function open(backend, note, tell) {
  tell({ type: "starting", backend });
  /** @type {Promise<never>} */
  const fault = new Promise((_, reject) => {
    fail = (message) => reject(new Fault(message));
  });
  if (backend === "webgpu") watchGpu(fail);

  /** @type {<T>(work: () => Promise<T>) => Promise<T>} */
  const guarded = async (work) => {
    try {
      return await Promise.race([work(), fault]);
    } catch (error) {
      throw isPanic(error) ? new Fault(messageOf(error)) : error;
    }
  };
  const scorer = await guarded(async () => {
    /** @type {import("./protocol.js").ScorerModule} */
    const module = await import(`./wasm/${backend}/tsp_mgs_web.js`);
    await module.default();
    if (backend === "webgpu") await module.Scorer.selfCheck();
    return module.Scorer.load(new URL("./model/model.json", import.meta.url).href, {
      onProgress: (loaded, total) => tell({ type: "progress", loaded, total }),
    });
  });

  return {
    note,
    fault,
    info: scorer.info(),
    /** @type {import("./protocol.js").Scorer["score"]} */
    score: (image, prompt) => guarded(() => scorer.score(image, prompt)),
  };
}

/** @param {import("./protocol.js").DeviceChoice} device */
async function whyNoWebGpu(device) {
  if (!self.isSecureContext) return "WebGPU needs a page served over https";
  if (!navigator.gpu) return "this browser has no WebGPU";
  const adapter = await navigator.gpu.requestAdapter();
  if (!adapter) return "the browser offers no graphics adapter to WebGPU";
  // SwiftShader computes WebGPU on the CPU, slower than our own CPU kernels. Asked for by name, it is used all the same.
  const { vendor, architecture, isFallbackAdapter } = adapter.info;
  const isSoftware = isFallbackAdapter || (vendor === "google" && architecture === "swiftshader");
  return isSoftware && device === "auto" ? "WebGPU runs in software here, slower than the CPU" : null;
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
    device.lost.then(({ reason, message }) => {
      if (reason !== "destroyed") fail(`the graphics device was lost: ${message || "no reason given"}`);
    });
    return device;
  };
}

/** @param {unknown} error */
function isPanic(error) {
  return error instanceof Error && (error.name === "RuntimeError" || error.message.startsWith("panic"));
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}
