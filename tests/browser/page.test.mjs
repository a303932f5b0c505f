// page.test.mjs — the built page in Chromium shows the numbers that the command line prints for the same image.
//
// Needs `www/dist` as `make web` leaves it, TRAINER (the command line's path), and Chromium (CHROMIUM, or the one on PATH).

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";

const www = join(import.meta.dirname, "../../www");
const dist = join(www, "dist");
const { chromium } = createRequire(join(www, "package.json"))("playwright-core");

/** SwiftShader makes WebGPU available, and the same, on machines without a graphics card. */
const FLAGS = ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-quic",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** The CPU kernels differ from the native ones in the order of sums; the GPU also in its exp and division. */
const TOLERANCE = { cpu: 1e-3, webgpu: 2e-3 };
/** SwiftShader on two cores, the model's start included. */
const PATIENCE_MS = 300_000;

let server, browser, origin, sample;

before(async () => {
  assert.ok(process.env.TRAINER, "set TRAINER to the path of the command line");
  for (const part of ["index.html", "wasm/cpu", "wasm/webgpu", "model/model.json"]) {
    assert.ok(existsSync(join(dist, part)), `www/dist/${part} is missing: run make web`);
  }
  sample = JSON.parse(readFileSync(join(dist, "samples/samples.json"))).find(({ prompt }) => prompt);
  assert.ok(sample, "no sample has a prompt");

  const port = await freePort();
  origin = `http://localhost:${port}`;
  server = spawn(join(www, "node_modules/.bin/sirv"), [dist, "--dev", "--quiet", "--port", port], { stdio: "inherit" });
  const executablePath = process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
  browser = await chromium.launch({ executablePath, args: FLAGS });
  for (let tries = 0; !(await fetch(origin).catch(() => null)); tries += 1) {
    assert.ok(tries < 50, "the static server did not start");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
});

after(async () => {
  await browser?.close();
  server?.kill();
});

for (const device of ["cpu", "webgpu"]) {
  test(`the page shows the command line's numbers on ${device}`, { timeout: 2 * PATIENCE_MS }, async () => {
    const { page, seen } = await open(device);
    await page.fill("#prompt", sample.prompt);
    await drop(page, sample.file, readFileSync(join(dist, "samples", sample.file)));
    await scored(page, sample.file);
    assert.equal(await page.textContent("#device .chip"), device === "cpu" ? "CPU" : "WebGPU");

    const shown = await page.$$eval("[data-key]", (all) => Object.fromEntries(all.map(({ dataset }) => [dataset.key, Number(dataset.value)])));
    const expected = expectedNumbers();
    assert.deepEqual(Object.keys(shown).sort(), Object.keys(expected).sort(), "the page shows every number, and no other");
    for (const [key, value] of Object.entries(expected)) {
      // Written so that NaN fails.
      assert.ok(Math.abs(shown[key] - value) <= TOLERANCE[device], `${key}: the page shows ${shown[key]}, the command line ${value}`);
    }
    assert.deepEqual(await clean(page, seen), []);
  });
}

test("a text file named .png gets its own sentence and the next image scores", { timeout: 2 * PATIENCE_MS }, async () => {
  const { page, seen } = await open("cpu");
  await drop(page, "text.png", Buffer.from("This is no picture.\n"));
  await page.waitForSelector("#error:visible", { timeout: PATIENCE_MS });
  const error = await page.textContent("#error");
  assert.match(error, /image|format|decode/i);
  assert.doesNotMatch(error, /panic|unreachable|started again|could not start/i);

  await drop(page, sample.file, readFileSync(join(dist, "samples", sample.file)));
  await scored(page, sample.file);
  assert.ok(!(await page.isVisible("#error")));
  assert.deepEqual(await clean(page, seen), []);
});

/** Opens the page and collects what must not happen: errors, and requests to anywhere else. */
async function open(device) {
  const page = await browser.newPage();
  const seen = [];
  page.on("console", (message) => message.type() === "error" && seen.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => seen.push(`page: ${error.message}`));
  page.on("request", (request) => new URL(request.url()).origin !== origin && seen.push(`request to ${request.url()}`));
  await page.goto(`${origin}/?device=${device}`);
  return { page, seen };
}

async function clean(page, seen) {
  await page.close();
  return seen;
}

/** Drops a file on the stage as a person does: by an event with a real DataTransfer. */
async function drop(page, name, bytes) {
  const dataTransfer = await page.evaluateHandle(([name, base64]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name));
    return transfer;
  }, [name, bytes.toString("base64")]);
  await page.dispatchEvent("#stage", "drop", { dataTransfer });
}

async function scored(page, name) {
  const status = page.locator("#status", { hasText: `Scored ${name}` });
  const error = page.locator("#error:visible");
  await status.or(error).waitFor({ timeout: PATIENCE_MS });
  assert.ok(await status.count(), `the page says: ${await page.textContent("#error")}`);
}

/** The numbers of the command line by their path in the result, as the page names them. */
function expectedNumbers() {
  const line = execFileSync(process.env.TRAINER,
    ["score", "--format", "jsonl", "--prompt", sample.prompt, join(dist, "samples", sample.file)], { encoding: "utf8" });
  const { perception, alignment } = JSON.parse(line);
  const numbers = {};
  const collect = (value, key) => {
    if (typeof value === "number") numbers[key] = value;
    else if (value && typeof value === "object") for (const name of Object.keys(value)) collect(value[name], `${key}.${name}`);
  };
  for (const [name, task] of Object.entries({ perception, alignment })) {
    if (!task) continue;
    // Patches are shown as colours, and where a word stands is no score.
    const { patches, words, ...rest } = task;
    collect({ ...rest, words: words.map(({ w_image, w_patches }) => ({ w_image, w_patches })) }, name);
  }
  return numbers;
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
