// pipeline.test.mjs — while one image is scored, the next one is read and handed over, and the page's own thread stays free.

import assert from "node:assert/strict";
import { assertSame, claims, commandLine, opening, TOLERANCE } from "./served.mjs";
import { traced } from "./traced.mjs";

/** The CPU time from which a task of the page is felt as a delay: the bound of a gallery that scores. */
const TASK_MS = 100;

const opened = opening();
const claim = claims(opened);

/** Scores an image under each prompt, and returns the results with a log of what happened. Runs in the page. */
async function logged({ device, prompts }) {
  const log = [];
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...more) {
    postMessage.call(this, message, ...more);
    if (message.type === "score") log.push(`sent ${message.prompt}${message.image.byteLength === 0 ? "" : " as a copy"}`);
  };
  const { createScorer } = await import("/tsp-mgs.js");
  const scorer = await createScorer({ device, crops: 1 });
  scorer.addEventListener("scored", ({ detail }) => log.push(`scored ${detail.result.prompt}`));
  const image = await (await fetch("/samples/cat.jpg")).blob();
  const results = await Promise.all(prompts.map((prompt) => {
    const own = image.slice();
    own.arrayBuffer = () => (log.push(`read ${prompt}`), Blob.prototype.arrayBuffer.call(own));
    return scorer.score(own, prompt);
  }));
  const { backend } = scorer.info;
  scorer.close();
  return { results, log, backend };
}

claim("on the CPU, the worker has one image, and the bytes of the next one are read meanwhile", async (page) => {
  const { results, log, backend } = await page.evaluate(logged, { device: "cpu", prompts: ["a", "b", "c"] });
  assert.equal(backend, "cpu");
  assert.deepEqual(log.filter((line) => !line.startsWith("read")), ["sent a", "scored a", "sent b", "scored b", "sent c", "scored c"]);
  assert.ok(log.indexOf("read b") < log.indexOf("scored a") && log.indexOf("read c") < log.indexOf("scored b"), log.join());
  assert.ok(log.indexOf("read c") > log.indexOf("scored a"), `one image is read ahead: ${log}`);
  for (const [index, prompt] of ["a", "b", "c"].entries()) assertSame(results[index], commandLine("cat.jpg", prompt, "--crops", "1"));
});

claim("on WebGPU, the worker has the next image while the graphics card computes one", async (page) => {
  const { results, log, backend } = await page.evaluate(logged, { device: "webgpu", prompts: ["a", "b", "c"] });
  assert.equal(backend, "webgpu");
  assert.deepEqual(log.filter((line) => !line.startsWith("read")).slice(0, 4), ["sent a", "sent b", "scored a", "sent c"]);
  assert.ok(log.indexOf("read c") < log.indexOf("scored a"), log.join());
  for (const [index, prompt] of ["a", "b", "c"].entries()) assertSame(results[index], commandLine("cat.jpg", prompt, "--crops", "1"), 2 * TOLERANCE);
  for (const { elapsedMs } of results) assert.ok(elapsedMs > 0);
});

claim("the page's thread neither decodes nor computes while photographs are scored, and its tasks are short", async (page) => {
  await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const canvas = new OffscreenCanvas(4000, 3000); // 12 megapixels, as a camera takes them.
    const context = canvas.getContext("2d");
    const gradient = context.createLinearGradient(0, 0, 4000, 3000);
    gradient.addColorStop(0, "orange");
    gradient.addColorStop(1, "navy");
    context.fillStyle = gradient;
    context.fillRect(0, 0, 4000, 3000);
    window.photo = await canvas.convertToBlob({ type: "image/jpeg", quality: 1 });
    window.scorer = await createScorer({ device: "cpu", crops: 1 });
    await window.scorer.score(window.photo, "a gradient"); // Code that runs for the first time is compiled.
    window.used = [];
    const watch = (object, name) => {
      const original = object[name];
      object[name] = new Proxy(original, {
        apply: (...call) => (window.used.push(name), Reflect.apply(...call)),
        construct: (...call) => (window.used.push(name), Reflect.construct(...call)),
      });
    };
    for (const name of ["compile", "compileStreaming", "instantiate", "instantiateStreaming", "Module", "Instance"]) watch(WebAssembly, name);
    for (const name of ["createImageBitmap", "OffscreenCanvas"]) watch(window, name);
    for (const type of [CanvasRenderingContext2D, OffscreenCanvasRenderingContext2D]) watch(type.prototype, "getImageData");
  });
  const tasksOf = await traced(await opened.browser.newBrowserCDPSession(), page);
  const { used, scored } = await page.evaluate(async () => {
    const address = URL.createObjectURL(window.photo);
    const images = [window.photo, address, window.photo, address];
    const results = await Promise.all(images.map((image) => window.scorer.score(image, "a gradient")));
    for await (const { result } of window.scorer.scoreAll(images)) results.push(result);
    return { used: window.used, scored: results.filter(({ width, height }) => width === 4000 && height === 3000).length };
  });
  const tasks = await tasksOf();
  assert.equal(scored, 8);
  assert.deepEqual(used, []);
  assert.ok(tasks.length > 8, `${tasks.length} tasks`);
  assert.ok(tasks.at(-1) <= TASK_MS, `a task of the page's thread computed for ${tasks.at(-1)} ms`);
});
