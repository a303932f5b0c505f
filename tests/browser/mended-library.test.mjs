// mended-library.test.mjs — faults of the library that a reading of its code found, each as its user would have met it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Meter } from "../../www/src/model/meter.js";
import { assertSame, claims, commandLine, inWorker, opening } from "./served.mjs";
import { until } from "./stand-in.mjs";

const opened = opening();
const claim = claims(opened);

claim("results that were told are let go of", async (page, context) => {
  // What is in a result is the module's own object; whatever holds on to it in the worker would grow with each image.
  await inWorker(page, `const told = [];
    const { postMessage } = self;
    self.postMessage = (message) => {
      if (message.type === "result") told.push(new WeakRef(message.result.perception));
      postMessage.call(self, message);
    };
    new BroadcastChannel("alive").onmessage = ({ target }) => target.postMessage(told.filter((reference) => reference.deref()).length);`);
  await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const image = await (await fetch("/samples/cat.jpg")).blob();
    window.scorer = await createScorer({ device: "cpu", crops: 1 });
    window.channel = new BroadcastChannel("alive");
    for (let count = 0; count < 12; count += 1) await scorer.score(image, "a cat");
  });
  await collectGarbage(context, page);
  const alive = await page.evaluate(() => new Promise((resolve) => {
    channel.onmessage = ({ data }) => resolve(data);
    channel.postMessage("");
  }));
  assert.ok(alive <= 2, `${alive} of 12 results are still held`);
});

claim("a scorer that failed before it was closed stays closed", async (page) => {
  const codes = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", crops: 1 });
    const { Worker } = window;
    window.Worker = class extends Worker { constructor() { super("data:text/javascript,throw 1"); } };
    const failed = await scorer.configure({ device: "cpu" }).catch(({ code }) => code);
    scorer.close();
    return [failed, await scorer.configure({ crops: 1 }).catch(({ code }) => code), await scorer.score("/samples/cat.jpg").catch(({ code }) => code)];
  });
  assert.deepEqual(codes, ["device", "closed", "closed"]);
}, { provoked: [/worker-src/] });

claim("settings that cannot be meant say what is expected", async (page) => {
  const said = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const wrong = [{ device: "gpu" }, { crops: 2.5 }, { crops: 0 }, { model: "http://" }];
    return Promise.all(wrong.map((options) => createScorer(options).catch(({ code, message }) => `${code}: ${message}`)));
  });
  assert.deepEqual(said, [
    'argument: unknown device "gpu": expected auto, webgpu, cpu',
    "argument: 2.5 crops: expected a whole number from 1, such as 1, 5 or 15",
    "argument: 0 crops: expected a whole number from 1, such as 1, 5 or 15",
    'argument: "http://" is not the address of a model.json',
  ]);
});

claim("a listener that throws stops nothing", async (page) => {
  const result = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", onEvent: () => { throw new Error("thrown by the test"); } });
    return scorer.score("/samples/cat.jpg", "a cat");
  });
  assertSame(result, commandLine("cat.jpg", "a cat"));
}, { provoked: [/thrown by the test/] });

claim("after the shared scorer has failed, the next <tsp-score> gets another one", async (page) => {
  // Six workers die as soon as they are ready: two at the first image, which is then given up, and four while they wait. None may score
  // an image before.
  await inWorker(page, `self.addEventListener("message", (event) => event.data.type === "score" && event.stopImmediatePropagation());
    const { postMessage } = self;
    self.postMessage = (message) => {
      postMessage.call(self, message);
      if (message.type === "ready") setTimeout(() => { throw new WebAssembly.RuntimeError("unreachable"); });
    };`, 6);
  const shown = await page.evaluate(async () => {
    await import("/cdn.js");
    const started = [];
    const { Worker } = window;
    window.Worker = class extends Worker { constructor(...of) { super(...of); started.push(this); } };
    const outcome = () => new Promise((resolve) => {
      const element = Object.assign(document.createElement("tsp-score"), { src: "/samples/cat.jpg", prompt: "a cat", device: "cpu" });
      element.addEventListener("tsp-score", ({ detail }) => resolve(detail), { once: true });
      element.addEventListener("tsp-error", ({ detail }) => resolve(detail), { once: true });
      document.body.append(element);
    });
    const first = await outcome();
    while (started.length < 6) await new Promise(requestAnimationFrame);
    let last;
    do last = await outcome(); while (last.code);
    return { first: first.code, last };
  });
  assert.ok(shown.first);
  assertSame(shown.last, commandLine("cat.jpg", "a cat"));
});

test("the bytes before a silence are told, and the speed falls with it", async () => {
  const told = [];
  const meter = new Meter(1000, false, (event) => told.push(event));
  meter.add(100);
  meter.add(200); // Within the pause in which nothing is told.
  await until(() => told.at(-1).loaded === 300);
  await until(() => told.at(-1).bytesPerSecond > 0);
  const { bytesPerSecond } = told.at(-1);
  await until(() => told.at(-1).bytesPerSecond < bytesPerSecond);
  meter.add(700);
  assert.deepEqual([told.at(-1).loaded, told.at(-1).secondsLeft], [1000, 0]);
});

/** In the page's worker, too. */
async function collectGarbage(context, page) {
  const session = await context.newCDPSession(page);
  const attached = new Promise((resolve) => session.once("Target.attachedToTarget", resolve));
  await session.send("Target.setAutoAttach", { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const { sessionId } = await attached;
  const done = new Promise((resolve) => session.once("Target.receivedMessageFromTarget", resolve));
  await session.send("Target.sendMessageToTarget", { sessionId, message: JSON.stringify({ id: 1, method: "HeapProfiler.collectGarbage" }) });
  await done;
}
