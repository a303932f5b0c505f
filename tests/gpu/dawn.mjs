// @ts-check
// Scores images with the page's WebGPU module in Node, on Dawn (the WebGPU of Chrome). So a GPU can be tested without a browser.
// usage: node dawn.mjs DAWN.node MODULE BUNDLE IMAGES EXPECTED.jsonl [ROUNDS [CROPS]]
// EXPECTED is the output of `trainer score --format jsonl` for the same images and bundle. The last line of the output is JSON.
import { readdirSync, readFileSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, extname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [dawnNode, moduleFolder, bundle, images, expectedFile, rounds = "2", crops = "15"] = process.argv.slice(2);
const { create, globals } = createRequire(import.meta.url)(resolve(dawnNode));
Object.assign(globalThis, globals);
// wgpu takes the global object for that of a worker if it has this class, and uses its navigator.
Object.assign(globalThis, { WorkerGlobalScope: class WorkerGlobalScope {}, self: globalThis });
const gpu = create([]);
Object.defineProperty(globalThis, "navigator", { value: { gpu, userAgent: "node", language: "en" }, configurable: true });

const adapter = await gpu.requestAdapter();
if (!adapter) throw new Error("Dawn offers no adapter");
const { vendor, architecture, description, isFallbackAdapter } = adapter.info;

/** Errors that wgpu does not report. @type {string[]} */
const faults = [];
const counts = { pipelines: 0, dispatches: 0, reads: 0, writes: 0, submits: 0, buffers: 0 };
/** Milliseconds that the calling thread spent inside each method, and how often it was called. @type {Map<string, { ms: number, calls: number }>} */
const spent = new Map();
wrap(globalThis.GPUAdapter, "requestDevice", async (opened) => {
  const device = await opened;
  device.addEventListener?.("uncapturederror", ({ error }) => faults.push(error.message.split("\n", 1)[0]));
  device.lost.then(({ reason, message }) => faults.push(`lost: ${reason} ${message}`));
  return device;
});
const counted = {
  createComputePipeline: "pipelines", createComputePipelineAsync: "pipelines", dispatchWorkgroups: "dispatches",
  dispatchWorkgroupsIndirect: "dispatches", mapAsync: "reads", writeBuffer: "writes", submit: "submits", createBuffer: "buffers",
};
for (const owner of [globalThis.GPUDevice, globalThis.GPUQueue, globalThis.GPUBuffer, globalThis.GPUCommandEncoder, globalThis.GPUComputePassEncoder]) {
  for (const name of Object.getOwnPropertyNames(owner?.prototype ?? {})) {
    const method = Object.getOwnPropertyDescriptor(owner.prototype, name)?.value;
    if (typeof method !== "function" || name === "constructor") continue;
    const place = `${owner.name}.${name}`;
    owner.prototype[name] = function (...args) {
      const start = performance.now();
      try {
        const result = method.apply(this, args);
        // The time until the promise resolved.
        if (result instanceof Promise) result.then(() => tally(`${place}, awaited`, performance.now() - start), () => {});
        return result;
      } finally {
        tally(place, performance.now() - start);
        if (name in counted) counts[counted[name]]++;
      }
    };
  }
}
function tally(place, ms) {
  const sum = spent.get(place) ?? { ms: 0, calls: 0 };
  spent.set(place, { ms: sum.ms + ms, calls: sum.calls + 1 });
}
/** The methods that took the most time since the last call. */
function whereTimeWent() {
  const rows = [...spent].filter(([, { ms }]) => ms >= 1).sort(([, a], [, b]) => b.ms - a.ms).slice(0, 9);
  const text = rows.map(([place, { ms, calls }]) => `${place} ${ms.toFixed(0)} ms in ${calls}`).join("; ");
  spent.clear();
  return text;
}
process.on("unhandledRejection", (error) => faults.push(`rejection: ${error instanceof Error ? error.message : error}`));

function wrap(owner, name, after) {
  const method = owner.prototype[name];
  owner.prototype[name] = function (...args) {
    return after(method.apply(this, args));
  };
}
const began = performance.now();
const module = await import(pathToFileURL(resolve(moduleFolder, "tsp_mgs_web.js")).href);
await module.default({ module_or_path: readFileSync(join(moduleFolder, "tsp_mgs_web_bg.wasm")) });
await module.Scorer.selfCheck();
const checked = (performance.now() - began) / 1e3;
const scorer = await module.Scorer.load((name) => new Uint8Array(readFileSync(join(bundle, name))), { isHashed: true, crops: Number(crops) });
console.log(`self-check after ${checked.toFixed(2)} s, model loaded after ${((performance.now() - began) / 1e3).toFixed(2)} s`);
console.log(`  ${whereTimeWent()}`);
const loaded = { ...counts };

const expected = new Map();
for (const line of readFileSync(expectedFile, "utf8").split("\n").filter((line) => line.startsWith("{"))) {
  const row = JSON.parse(line);
  expected.set(basename(row.path), row);
}
const names = readdirSync(images).filter((name) => [".jpg", ".png"].includes(extname(name))).sort();
let worst = 0;
let first = 0;
const times = [];
let before = { ...counts };
let afterFirst = counts.pipelines;
for (let round = 0; round < Number(rounds); round++) {
  for (const name of names) {
    const beside = join(images, `${basename(name, extname(name))}.txt`);
    const prompt = existsSync(beside) ? readFileSync(beside, "utf8").trim() : undefined;
    const start = performance.now();
    const result = await scorer.score(new Uint8Array(readFileSync(join(images, name))), prompt);
    const took = performance.now() - start;
    if (first === 0) {
      first = took;
      afterFirst = counts.pipelines;
      before = { ...counts };
    } else {
      times.push(took);
    }
    for (const task of ["perception", "alignment"]) {
      const right = expected.get(name)?.[task]?.score;
      if (typeof right === "number") worst = Math.max(worst, Math.abs((result[task]?.score ?? Infinity) - right));
    }
    console.log(`${name}: ${took.toFixed(0)} ms, so far ${JSON.stringify(counts)}\n  ${whereTimeWent()}`);
  }
}
times.sort((a, b) => a - b);
const each = (what) => Math.round((counts[what] - before[what]) / times.length);
console.log(JSON.stringify({
  adapter: `${vendor} ${architecture} ${description}${isFallbackAdapter ? " (fallback)" : ""}`.trim(),
  worst: expected.size ? worst : Infinity,
  checked, first, median: times[times.length >> 1],
  loadedPipelines: loaded.pipelines, pipelines: afterFirst, late: counts.pipelines - afterFirst,
  dispatches: each("dispatches"), reads: each("reads"), writes: each("writes"), submits: each("submits"),
  faults: [...new Set(faults)],
}));
process.exit(faults.length ? 1 : 0);
