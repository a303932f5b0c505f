// serve.mjs OPTIONS: serves folders, opens pages in Chromium, and does what it is asked: a line of JSON in, a line of JSON out.
//
// Options: `www`, the built page, and `folders`, others by name. Needs Chromium (CHROMIUM, or the one on PATH).

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import * as ours from "./ours.mjs";
import * as rival from "./rival.mjs";

const options = JSON.parse(process.argv[2]);
const packages = createRequire(join(import.meta.dirname, "../../../www/package.json"));
const { chromium } = packages("playwright-core");
const sirv = packages("sirv");
const rivals = createRequire(import.meta.url);
const transformers = dirname(rivals.resolve("@huggingface/transformers"));
/** transformers.js brings an onnxruntime-web of its own. */
const packageOf = (name, from) => dirname(dirname(from.resolve(name)));
const ofTransformers = createRequire(join(transformers, "x.js"));

const folders = {
  ...options.folders,
  ort: join(packageOf("onnxruntime-web", rivals), "dist"),
  transformers,
  "transformers-ort": join(packageOf("onnxruntime-web", ofTransformers), "dist"),
  "transformers-common": join(packageOf("onnxruntime-common", ofTransformers).replace(/\/dist$/, ""), "dist/esm"),
  pages: import.meta.dirname,
};
const served = Object.fromEntries(Object.entries(folders).map(([name, folder]) => [name, sirv(folder, { dev: true })]));
const page = sirv(options.www, { dev: true });
const connections = new Set();
/** Bytes that the server has sent so far. */
const sent = () => [...connections].reduce((sum, connection) => sum + connection.bytesWritten, 0);

const server = createServer((request, response) => {
  const [, name] = request.url.split("/");
  if (request.url === "/empty.html") return void response.setHeader("content-type", "text/html").end("<!doctype html><title>Empty</title>");
  const missing = () => response.writeHead(404).end();
  if (!(name in served)) return page(request, response, missing);
  request.url = request.url.slice(name.length + 1);
  served[name](request, response, missing);
}).on("connection", (connection) => connections.add(connection)).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const origin = `http://127.0.0.1:${server.address().port}`;

/** A profile on disk: what is private has a small cache in memory. */
const profile = mkdtempSync(join(tmpdir(), "tsp-mgs-bench-"));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
  // As the tests start it: SwiftShader is the same adapter on every machine.
  args: ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
context.setDefaultTimeout(900_000);
const sides = { ours, rival };
/** Pages by side, each opened when it is first needed. */
const pages = {};

async function pageOf(side) {
  if (!pages[side]) {
    pages[side] = await context.newPage();
    pages[side].on("pageerror", (error) => process.stderr.write(`${side}: ${error.message}\n`));
    await pages[side].goto(`${origin}/empty.html`);
  }
  await pages[side].bringToFront();
  return pages[side];
}

/** What can be asked for. */
const answers = {
  load: async ({ side, ...request }) => (await pageOf(side)).evaluate(sides[side].load, request),
  /** Seconds and output of `times` runs. */
  run: async ({ side, times, ...request }) => (await pageOf(side)).evaluate(sides[side].run, { times, ...request }),
  /** Opens a page of `browser/`, waits for what it found, and tells what the server sent for it. */
  visit: async ({ name }) => {
    const visited = await context.newPage();
    try {
      const before = sent();
      await visited.goto(`${origin}/pages/${name}.html`);
      const found = await visited.waitForFunction(() => window.found);
      const value = await found.jsonValue();
      if (value.error) throw new Error(`${name}: ${value.error}`);
      return { ...value, sent: sent() - before };
    } finally {
      await visited.close();
    }
  },
  /** The largest resident memory so far of the process behind a side's page. */
  memory: async ({ side }) => {
    await pageOf(side);
    const browser = await context.browser().newBrowserCDPSession();
    const { processInfo } = await browser.send("SystemInfo.getProcessInfo");
    const peaks = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => {
      const line = readFileSync(`/proc/${id}/status`, "utf8").match(/^VmHWM:\s+(\d+) kB/m);
      return Number(line?.[1] ?? 0) * 1024;
    });
    return Math.max(...peaks);
  },
};

const tell = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
tell(`Chromium ${context.browser().version()}`);
try {
  for await (const line of createInterface({ input: process.stdin })) {
    const { what, ...request } = JSON.parse(line);
    tell(await answers[what](request));
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
} finally {
  await context.close();
  rmSync(profile, { recursive: true, force: true });
  server.closeAllConnections();
  server.close();
}
