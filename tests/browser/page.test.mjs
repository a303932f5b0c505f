// page.test.mjs — the built page in Chromium shows the numbers that the command line prints for the same image, and survives
// what can go wrong.
//
// Needs `www/dist` as `make web` leaves it, TRAINER (the command line's path), and Chromium (CHROMIUM, or the one on PATH).

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, test } from "node:test";

const www = join(import.meta.dirname, "../../www");
const dist = join(www, "dist");
const packages = createRequire(join(www, "package.json"));
const { chromium } = packages("playwright-core");
const sirv = packages("sirv");

/** SwiftShader makes WebGPU available, and the same, on machines without a graphics card. */
const FLAGS = ["--headless=new", "--no-sandbox", "--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--disable-quic",
  "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
/** The CPU kernels differ from the native ones in the order of sums; the GPU also in its exp and division. */
const TOLERANCE = { cpu: 1e-3, webgpu: 2e-3 };
/** A wrong kernel can come with a later call, when it was first tuned. */
const CALLS = 3;
/** SwiftShader on two cores, the model's start included. */
const PATIENCE_MS = 300_000;

let server, browser, origin, elsewhere, sample, withMetadata;

before(async () => {
  assert.ok(process.env.TRAINER, "set TRAINER to the path of the command line");
  for (const part of ["index.html", "wasm/cpu", "wasm/webgpu", "model/model.json"]) {
    assert.ok(existsSync(join(dist, part)), `www/dist/${part} is missing: run make web`);
  }
  const samples = JSON.parse(readFileSync(join(dist, "samples/samples.json")));
  sample = samples.find(({ prompt }) => prompt);
  withMetadata = samples.find(({ prompt }) => prompt === null);
  assert.ok(sample && withMetadata, "one sample must have a prompt beside it, one in its metadata");

  server = createServer(sirv(dist, { dev: true })).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
  elsewhere = `http://localhost:${server.address().port}`; // The same server, but another origin.
  const executablePath = process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
  browser = await chromium.launch({ executablePath, args: FLAGS });
});

after(async () => {
  await browser?.close();
  server?.close();
});

for (const device of ["cpu", "webgpu"]) {
  claim(`the page shows the command line's numbers on ${device}`, async (page) => {
    await page.goto(`${origin}/?device=${device}`);
    await page.fill("#prompt", sample.prompt);
    await drop(page, sample);
    const result = commandLine(sample);
    for (let call = 1; call <= CALLS; call += 1) {
      await scored(page, sample);
      await compare(page, result, TOLERANCE[device]);
      if (call < CALLS) await page.click("#ask button");
    }
    assert.equal(await page.textContent("#device .chip"), device === "cpu" ? "CPU" : "WebGPU");
    // A WebGPU validation error replaces the worker.
    assert.equal(page.workersSeen, 1);
  });
}

claim("a vision-only model scores perception and says what is missing", async (page) => {
  const folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  try {
    const model = join(folder, "model");
    execFileSync(process.env.TRAINER, ["export", "--vision-only", "--out", model], { stdio: "pipe" });
    await page.route("**/model/*", (route) => route.fulfill({ path: join(model, basename(route.request().url())) }));
    await page.goto(`${origin}/?device=cpu`);
    await page.fill("#prompt", sample.prompt);
    await drop(page, sample);
    await scored(page, sample);
    await compare(page, commandLine(sample, "--model", model), TOLERANCE.cpu);
    assert.match(await page.textContent("#notes:visible"), /no text tower/i);
    assert.match(await page.textContent(".score.alignment"), /not in this model/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

claim("a cleared prompt is read from the image", async (page) => {
  await page.goto(`${origin}/?device=cpu`);
  await drop(page, withMetadata);
  await scored(page, withMetadata);
  const prompt = await page.inputValue("#prompt");
  assert.ok(prompt);
  await page.fill("#prompt", "something else");
  await page.click("#ask button");
  await scored(page, withMetadata);
  assert.equal(await page.inputValue("#prompt"), "something else");
  await page.fill("#prompt", " ");
  await page.click("#ask button");
  await scored(page, withMetadata);
  assert.equal(await page.inputValue("#prompt"), prompt);
  assert.match(await page.textContent("#prompt-note"), /Read from the image/);
});

claim("a text file named .png gets its own sentence and the next image scores", async (page) => {
  await page.goto(`${origin}/?device=cpu`);
  await drop(page, { file: "text.png" }, Buffer.from("This is no picture.\n"));
  const error = await errorOf(page);
  assert.match(error, /image|format|decode/i);
  assert.doesNotMatch(error, /panic|unreachable|started again|could not start/i);

  await drop(page, sample);
  await page.dispatchEvent("#stage", "drop", { dataTransfer: await page.evaluateHandle(() => new DataTransfer()) });
  await page.locator("#status", { hasText: "Scored" }).waitFor();
  assert.ok(!(await page.isVisible("#error")), "the error of a drop without a file goes when the result comes");
});

for (const [when, score] of [
  ["in the call", "throw new WebAssembly.RuntimeError('unreachable')"],
  ["after the call", "setTimeout(() => { throw new WebAssembly.RuntimeError('unreachable'); }); return new Promise(() => {})"],
]) {
  claim(`a crash ${when} is said, and a new worker scores the next image`, async (page) => {
    await instead(page, "cpu", `export class Scorer {
      static load = async (...asked) => ({ info: () => info, score() { ${score}; } });
    }
    const info = ${JSON.stringify({ backend: "cpu", device: "cpu", model: "shim", warning: null, notes: [], tasks: [], crops: 0, dtype: "f32" })};
    export default async () => {};`);
    await page.goto(`${origin}/?device=cpu`);
    await drop(page, sample);
    assert.match(await errorOf(page), /started again: .*unreachable/);

    await drop(page, sample);
    await scored(page, sample);
    assert.equal(page.workersSeen, 2);
  });
}

claim("a panic is said, and a new worker scores the next image", async (page) => {
  // wgpu panics when the graphics card has no memory for a buffer. The next worker takes the CPU, as it finds SwiftShader.
  await asCard(page, `self.addEventListener("message", ({ data }) => {
    if (data.type === "score") GPUDevice.prototype.createBuffer = () => { throw new RangeError("no memory"); };
  });`);
  await page.goto(origin);
  await drop(page, sample);
  assert.match(await errorOf(page), /started again: .*unreachable/);
  const panic = page.seen.findIndex((line) => /^console: panicked at .*no memory/s.test(line));
  assert.notEqual(panic, -1, `the console has the panic: ${page.seen}`);
  page.seen.splice(panic, 1);

  await drop(page, sample);
  await scored(page, sample);
  assert.equal(page.workersSeen, 2);
});

claim("a scorer that cannot start is said for every image", async (page) => {
  await instead(page, "cpu", "export default async () => { throw new Error('no memory'); };");
  await page.goto(`${origin}/?device=cpu`);
  const said = "The scorer could not start: no memory; reload the page to try again.";
  assert.equal(await errorOf(page), said);
  await drop(page, sample);
  assert.equal(await errorOf(page), said);
  assert.ok(!(await page.isVisible("#busy")));
});

claim("a graphics card that computes wrong numbers is not used, and the page says so", async (page) => {
  await asCard(page);
  await instead(page, "webgpu", `export class Scorer {
    static selfCheck = async () => { throw new Error("acme computes wrong numbers"); };
  }
  export default async () => {};`);
  await page.goto(origin);
  await drop(page, sample);
  await scored(page, sample);
  assert.equal(await page.textContent("#device .chip"), "CPU");
  assert.match(await page.textContent("#device"), /Why not WebGPU: acme computes wrong numbers\./);
});

claim("the worker reaches no other origin", async (page) => {
  const reach = (url) => fetch(url, { mode: "no-cors" }).then(() => "sent", () => "refused");
  await page.goto(`${origin}/?device=cpu`);
  await page.locator("#status", { hasText: "Ready" }).waitFor();
  const [worker] = page.workers();
  assert.equal(await worker.evaluate(reach, `${origin}/index.html`), "sent");
  assert.equal(await worker.evaluate(reach, `${elsewhere}/index.html`), "refused");
});

/** A test on a page of its own, which must stay without warnings, errors, and requests to anywhere else. */
function claim(name, body) {
  test(name, { timeout: 2 * PATIENCE_MS }, async () => {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    const seen = [];
    page.seen = seen;
    page.workersSeen = 0;
    page.on("worker", () => { page.workersSeen += 1; });
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.push(`console: ${message.text()}`));
    page.on("pageerror", (error) => seen.push(`page: ${error.message}`));
    page.on("request", (request) => new URL(request.url()).origin !== origin && seen.push(`request to ${request.url()}`));
    try {
      await body(page);
    } finally {
      await page.close();
    }
    assert.deepEqual(seen, []);
  });
}

/** Gives the first worker another wasm module than the built one. */
function instead(page, backend, body) {
  return page.route(`**/wasm/${backend}/tsp_mgs_web.js`, (route) => route.fulfill({ body, contentType: "text/javascript" }), { times: 1 });
}

/** SwiftShader is passed over, so to the first worker it looks like a real card; `script` runs there first. */
function asCard(page, script = "") {
  return page.route("**/scorer.js", async (route) => {
    const response = await route.fetch();
    const card = `Object.defineProperty(GPUAdapter.prototype, "info", { value: { vendor: "acme", architecture: "", device: "", description: "", isFallbackAdapter: false } });\n`;
    await route.fulfill({ response, body: card + script + (await response.text()) });
  }, { times: 1 });
}

/** Drops a file on the stage as a person does: by an event with a real DataTransfer. */
async function drop(page, { file }, bytes = readFileSync(join(dist, "samples", file))) {
  const dataTransfer = await page.evaluateHandle(([name, base64]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name));
    return transfer;
  }, [file, bytes.toString("base64")]);
  await page.dispatchEvent("#stage", "drop", { dataTransfer });
}

async function scored(page, { file }) {
  const status = page.locator("#status", { hasText: `Scored ${file}` });
  await status.or(page.locator("#error:visible")).waitFor();
  assert.ok(await status.count(), `the page says: ${await page.textContent("#error")}`);
  assert.ok(!(await page.isVisible("#error")));
}

async function errorOf(page) {
  await page.locator("#error").waitFor();
  return page.textContent("#error");
}

function commandLine({ file, prompt }, ...model) {
  const args = ["score", "--format", "jsonl", ...model, "--prompt", prompt, join(dist, "samples", file)];
  return JSON.parse(execFileSync(process.env.TRAINER, args, { encoding: "utf8", stdio: "pipe" }));
}

/** Compares all that the page shows of a result: numbers and their digits, both overlays, and what shows on hover. */
async function compare(page, { perception, alignment }, tolerance) {
  const tasks = Object.entries({ perception, alignment }).filter(([, task]) => task);
  const near = (value, expected, what) =>
    // Written so that NaN fails.
    assert.ok(Math.abs(value - expected) <= tolerance, `${what}: the page shows ${value}, the command line ${expected}`);
  // Numbers that stand in a text, as rounded there.
  const nearText = (text, expected, what) => {
    const figures = text.match(/-?\d+\.\d+/g);
    assert.equal(figures?.length, expected.length, `${what}: ${text}`);
    figures.forEach((figure, index) => {
      const rounding = 0.5 * 10 ** -figure.split(".")[1].length;
      assert.ok(Math.abs(figure - expected[index]) <= tolerance + rounding, `${what}: ${text}, the command line ${expected[index]}`);
    });
  };

  const hovers = await page.$$eval(".words .prompt span", (spans) => spans.map(({ title }) => title));
  const words = tasks.flatMap(([, task]) => task.words);
  assert.equal(hovers.length, words.length);
  words.forEach(({ text, w_image, w_patches }, index) => nearText(hovers[index], [w_image, w_patches], `hover of ${text}`));
  nearText((await page.textContent("#status")).split(": ")[1], tasks.map(([, task]) => task.score), "status");

  for (const [name, task] of tasks) {
    await page.check(`#patches [value=${name}]`, { force: true });
    const cells = await page.$$eval("#overlay rect", (all) => all.map((rect) => {
      const { x, y, width, height } = rect.getBBox();
      return { x: x + width / 2, y: y + height / 2, text: rect.textContent.split(" of")[0] };
    }));
    const levels = cells.map(({ x, y }) => meanOf(task.patches
      .filter((patch) => patch.x < x && x < patch.x + patch.width && patch.y < y && y < patch.y + patch.height)
      .map(({ p }) => (5 / (p.length - 1)) * p.reduce((sum, probability, level) => sum + probability * level, 0))));
    cells.forEach(({ text }, index) => nearText(text, [levels[index]], `${name}, patches at ${cells[index].x}, ${cells[index].y}`));

    const expected = Object.assign({}, ...tasks.map(([name, task]) => numbersOf(name, task)),
      { [`${name}.patches.lowest`]: Math.min(...levels), [`${name}.patches.highest`]: Math.max(...levels) });
    const shown = await page.$$eval("[data-key]", (all) =>
      all.map(({ dataset, textContent }) => ({ key: dataset.key, value: Number(dataset.value), text: textContent })));
    assert.deepEqual([...new Set(shown.map(({ key }) => key))].sort(), Object.keys(expected).sort(), "the page shows every number, and no other");
    for (const { key, value, text } of shown) {
      near(value, expected[key], key);
      const digits = text.match(/\.(\d+)/)?.[1].length ?? 0;
      assert.equal(text, text.endsWith("%") ? `${(100 * value).toFixed(digits)} %` : value.toFixed(digits), key);
    }
  }
}

/** The numbers of a task and what follows from them, named as on the page. A part that the model lacks is null and not shown. */
function numbersOf(name, task) {
  const numbers = {};
  const collect = (value, key) => {
    if (typeof value === "number") numbers[key] = value;
    else if (value && typeof value === "object") for (const part of Object.keys(value)) collect(value[part], `${key}.${part}`);
  };
  // Patches are shown by the overlay, and where a word stands is no score.
  const { patches, words, alpha, ...rest } = task;
  const { q_image, q_patches } = rest;
  collect({ ...rest, words: words.map(({ w_image, w_patches }) => ({ w_image, w_patches })) }, name);
  if (q_image !== null) collect({ alpha, "alpha*q_image": alpha * q_image }, name);
  if (q_patches !== null) collect({ "(1-alpha)": 1 - alpha, "(1-alpha)*q_patches": (1 - alpha) * q_patches }, name);
  const closeness = words.map(({ w_image, w_patches }) => meanOf([w_image, w_patches]));
  if (words.length > 0) collect({ words: { least: Math.min(...closeness), most: Math.max(...closeness) } }, name);
  return numbers;
}

function meanOf(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
