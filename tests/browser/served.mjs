// served.mjs — for the tests of the library: serves the built files, with faults on demand, and opens pages in Chromium.
//
// Needs `www/dist` as `make web` leaves it (or another folder in DIST), Chromium (CHROMIUM, or the one on PATH) and, to compare
// scores with it, the command line (its path in TRAINER).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { camelCase } from "../../www/src/engine/names.js";

export const www = join(import.meta.dirname, "../../www");
export const dist = process.env.DIST ?? join(www, "dist");
const packages = createRequire(join(www, "package.json"));
const { chromium } = packages("playwright-core");
const sirv = packages("sirv");

/** SwiftShader makes WebGPU available, and the same, on machines without a graphics card. */
const FLAGS = ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-quic",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** The CPU kernels differ from the native ones in the order of sums; the GPU also in its exp and division. */
export const TOLERANCE = 1e-3;
/** SwiftShader on two cores, the model's start included. */
export const PATIENCE_MS = 300_000;
/** As strict as a page can be that runs wasm: the library must do with it. */
const POLICY = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; img-src 'self' blob:; connect-src * blob:";

/** A server of the built files, which asks `answer` first: what that takes on itself returns true. */
export class Served {
  /** @type {(request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => boolean | void} */
  answer = () => {};
  /** Whether the page finds no samples. */
  isEmpty = false;
  /** The paths that were asked for since the last {@link forget}. */
  asked = [];

  static async open(folder = dist) {
    const served = new Served();
    const files = sirv(folder, { dev: true });
    served.server = createServer((request, response) => {
      served.asked.push(request.url);
      if (served.answer(request, response)) return;
      if (served.isEmpty && request.url === "/samples/samples.json") return response.end("[]");
      if (request.url.startsWith("/heard/")) return response.end();
      if (request.url.startsWith("/empty")) {
        response.setHeader("content-type", "text/html").setHeader("content-security-policy", POLICY);
        return response.end(`<!doctype html><link rel="icon" href="icon.svg"><title>Empty</title>`);
      }
      files(request, response);
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => served.server.once("listening", resolve));
    const { port } = served.server.address();
    served.origin = `http://127.0.0.1:${port}`;
    served.elsewhere = `http://localhost:${port}`; // The same server, but another origin.
    return served;
  }

  forget() {
    this.answer = () => {};
    this.isEmpty = false;
    this.asked = [];
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}

export function needBuilt() {
  for (const part of ["tsp-mgs.js", "cdn.js", "tsp-mgs-worker.js", "wasm/cpu", "wasm/cpu-relaxed", "wasm/webgpu", "model/model.json"]) {
    assert.ok(existsSync(join(dist, part)), `${join(dist, part)} is missing: run make web`);
  }
}

export async function openChromium() {
  const executablePath = process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
  return chromium.launch({ executablePath, args: FLAGS });
}

/** Server and browser for one file's tests, there while these run. */
export function opening() {
  const opened = {};
  before(async () => {
    needBuilt();
    opened.served = await Served.open();
    opened.browser = await openChromium();
  });
  after(async () => {
    await opened.browser?.close();
    opened.served?.close();
  });
  return opened;
}

/**
 * A test in a browser profile of its own: nothing is cached before. `body` gets an empty page under a strict policy that has
 * imported the library as `tspMgs`. Errors on the console fail it, but for those that a test says it provokes.
 */
export function claims(opened) {
  return (name, body, { provoked = [], timeout = 2 * PATIENCE_MS } = {}) =>
    test(name, { timeout }, async () => {
      const { browser, served } = opened;
      served.forget();
      const context = await browser.newContext();
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const seen = [];
      page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.push(message.text()));
      page.on("pageerror", (error) => seen.push(`page: ${error.message}`));
      try {
        await page.goto(`${served.origin}/empty.html`);
        await body(page, context);
      } finally {
        await context.close();
      }
      // The browser itself reports each failed request.
      assert.deepEqual(seen.filter((line) => !provoked.some((pattern) => pattern.test(line))), []);
    });
}

/** Drops files and folders that are dragged in from the desktop. */
export async function dropFromDesktop(page, target, files) {
  const session = await page.context().newCDPSession(page);
  const { x, y } = await page.locator(target).boundingBox();
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await session.send("Input.dispatchDragEvent", { type, x: x + 10, y: y + 10, data: { items: [], files, dragOperationsMask: 1 } });
  }
}

/** Puts code in front of the next worker's, to change the browser that it finds. */
export async function inWorker(page, code, times = 1) {
  await page.route("**/tsp-mgs-worker.js", async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `${code}\n${await response.text()}` });
  }, { times });
}

/** The command line's path. */
export function trainer() {
  assert.ok(process.env.TRAINER, "set TRAINER to the path of the command line");
  return process.env.TRAINER;
}

/** A sample's file. */
export function bytesOf(file) {
  return readFileSync(join(dist, "samples", file));
}

const known = new Map();

/** What the command line says of a sample, with the model that is served. */
export function commandLine(file, prompt, ...more) {
  const args = ["score", "--format", "jsonl", "--model", join(dist, "model"), ...more, ...(prompt === null ? [] : ["--prompt", prompt]), join(dist, "samples", file)];
  const key = JSON.stringify(args);
  if (!known.has(key)) known.set(key, JSON.parse(execFileSync(trainer(), args, { encoding: "utf8", stdio: "pipe" })));
  return known.get(key);
}

/** Every number of a result against the command line's, and every text; names in camelCase here, in snake_case there. */
export function assertSame(result, expected, tolerance = TOLERANCE) {
  assert.ok(result && !result.code, `no result but ${result?.message}`);
  const compare = (found, wanted, where) => {
    if (typeof wanted === "number") assert.ok(Math.abs(found - wanted) <= tolerance, `${where}: found ${found}, the command line has ${wanted}`);
    else if (Array.isArray(wanted)) {
      assert.equal(found?.length, wanted.length, where);
      wanted.forEach((part, index) => compare(found[index], part, `${where}.${index}`));
    } else if (wanted && typeof wanted === "object") for (const key of Object.keys(wanted)) compare(found?.[key], wanted[key], `${where}.${key}`);
    else assert.equal(found, wanted, where);
  };
  const wanted = camelCase(expected);
  for (const key of ["width", "height", "crops", "prompt", "promptSource", "promptTruncated", "perception", "alignment"]) compare(result[key], wanted[key], key);
}

/** The built-in model in `count` shards, the first grown by spaces that mean nothing to at least `bytes`: files by name. */
export function rebuilt({ count = 1, bytes = 0 } = {}) {
  const manifest = JSON.parse(readFileSync(join(dist, "model/model.json")));
  const tensors = manifest.shards.flatMap(({ name }) => tensorsOf(readFileSync(join(dist, "model", name))));
  const files = {};
  manifest.shards = Array.from({ length: count }, (_, shard) => {
    const name = `part-${shard + 1}.safetensors`;
    files[name] = shardOf(tensors.filter((_, index) => index % count === shard), shard === 0 ? bytes : 0);
    return { name, size: files[name].length, sha256: sha256(files[name]) };
  });
  files["model.json"] = Buffer.from(JSON.stringify(manifest));
  return files;
}

export function sha256(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}

function tensorsOf(shard) {
  const length = Number(shard.readBigUInt64LE(0));
  const { __metadata__, ...header } = JSON.parse(shard.subarray(8, 8 + length));
  return Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) =>
    ({ name, dtype, shape, data: shard.subarray(8 + length + from, 8 + length + to) }));
}

function shardOf(tensors, atLeast) {
  let end = 0;
  const header = Object.fromEntries(tensors.map(({ name, dtype, shape, data }) => {
    const from = end;
    end += data.length;
    return [name, { dtype, shape, data_offsets: [from, end] }];
  }));
  const text = JSON.stringify(header);
  const padded = text.padEnd(Math.max(Math.ceil(text.length / 8) * 8, atLeast - end - 8));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  return Buffer.concat([length, Buffer.from(padded), ...tensors.map(({ data }) => data)]);
}

/** What the browser itself says of each request that fails. */
export const FAILED_REQUEST = [/Failed to load resource/];
/** Makes the waits of the worker short, in which nothing happens. */
export const IMPATIENT = "const patient = self.setTimeout; self.setTimeout = (work, ms) => patient(work, ms / 20);";

/** Loads a scorer in the page; what happened, and the score of a sample or the error. */
export function load(page, { scores = ["cat.jpg"], ...options } = {}) {
  return page.evaluate(async ([options, scores]) => {
    const { createScorer } = await import("/tsp-mgs.js");
    const events = [];
    try {
      const onEvent = (event) => {
        events.push(event);
        if (event.type === "progress") fetch(`/heard/${event.loaded}`); // For a server that waits for it.
      };
      const scorer = await createScorer({ device: "cpu", onEvent, ...options });
      const results = await Promise.all(scores.map((file) =>
        scorer.score(`/samples/${file}`, "a cat").catch(({ code, message }) => ({ code, message }))));
      const { info } = scorer;
      scorer.close();
      return { info, results, events };
    } catch ({ code, message }) {
      return { code, message, events, results: [{ code, message }] };
    }
  }, [options, scores]);
}
