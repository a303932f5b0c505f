// library.test.mjs — the library as a developer uses it: createScorer, <tsp-score> and the examples. Scores are the command line's.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before } from "node:test";
import { assertSame, claims, commandLine, dist, inWorker, opening, rebuilt, sha256, TOLERANCE, www } from "./served.mjs";

const opened = opening();
let sample;
const claim = claims(opened);

before(async () => {
  sample = JSON.parse(readFileSync(join(dist, "samples/samples.json"))).find(({ prompt }) => prompt);
});

const cat = (...more) => commandLine("cat.jpg", "a cat", ...more);

claim("a Blob, an address and an ImageBitmap score as the command line does", async (page) => {
  const { info, scores } = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu" });
    const blob = await (await fetch("/samples/cat.jpg")).blob();
    const png = await (await fetch("/samples/rocket.png")).blob();
    const bitmap = await createImageBitmap(png);
    const both = Promise.all([scorer.score(png, "a rocket"), scorer.score(bitmap, "a rocket")]);
    bitmap.close(); // Its caller may let go of it at once.
    return {
      info: scorer.info,
      scores: [
        await scorer.score(blob, "a cat"),
        await scorer.score("samples/cat.jpg", "a cat"),
        await scorer.score(new URL("/samples/cat.jpg", location.href), "a cat"),
        await scorer.score(URL.createObjectURL(blob), "a cat"),
        ...(await both),
        await scorer.score(png, null),
        await scorer.score(png, "  "),
      ],
    };
  });
  for (const score of scores.slice(0, 4)) assertSame(score, cat());
  for (const score of scores.slice(4, 6)) assertSame(score, commandLine("rocket.png", "a rocket"));
  // The prompt is the image's own; a blank one says that there is none.
  assertSame(scores[6], commandLine("rocket.png", null));
  assert.ok(scores[6].prompt);
  assertSame(scores[7], commandLine("rocket.png", "  "));
  assert.equal(scores[7].alignment, null);
  for (const { elapsedMs } of scores) assert.ok(elapsedMs > 0);

  const manifest = readFileSync(join(dist, "model/model.json"));
  const { name, dtype, preprocess } = JSON.parse(manifest);
  assert.equal(info.modelHash, sha256(manifest));
  assert.ok(info.model.startsWith(name));
  assert.deepEqual([info.backend, info.dtype, info.preprocessing, info.reason, info.fromCache, info.crops], ["cpu", dtype, preprocess, null, false, 15]);
});

claim("other settings take effect, and what waits goes on with them", async (page) => {
  const [one, five, fifteen, ...waited] = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", crops: 1 });
    const score = () => scorer.score("/samples/cat.jpg", "a cat");
    const one = await score();
    await scorer.configure({ crops: 5 });
    const five = await score();
    const waiting = [score(), score(), score()];
    await scorer.configure({ crops: 15 });
    return [one, five, await score(), ...(await Promise.all(waiting))];
  });
  assertSame(one, cat("--crops", "1"));
  assertSame(five, cat("--crops", "5"));
  assertSame(fifteen, cat());
  // The first of them may have been done before the change.
  for (const result of waited.slice(1)) assertSame(result, cat());
});

claim("priority is asked when the worker is free, and aborted requests are not scored", async (page) => {
  const { order, outcomes } = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", crops: 1 });
    const order = [];
    scorer.addEventListener("scored", ({ detail }) => order.push(detail.result.prompt));
    const changed = { a: 0, b: 1, c: 2 };
    const inWork = new AbortController();
    const waiting = new AbortController();
    const image = await (await fetch("/samples/cat.jpg")).blob();
    const score = (prompt, options) => scorer.score(image, prompt, options).then(() => "scored", ({ name }) => name);
    const asked = [
      score("in work", { signal: inWork.signal }),
      score("a", { priority: () => changed.a }), score("b", { priority: () => changed.b }), score("c", { priority: () => changed.c }),
      score("never", { signal: waiting.signal, priority: 9 }), score("last"), score("early", { signal: AbortSignal.abort() }),
    ];
    changed.a = 3;
    await new Promise((resolve) => setTimeout(resolve)); // So that the first is with the worker.
    inWork.abort();
    waiting.abort();
    return { outcomes: await Promise.all(asked), order };
  });
  assert.deepEqual(outcomes, ["AbortError", "scored", "scored", "scored", "AbortError", "scored", "AbortError"]);
  assert.deepEqual(order, ["a", "c", "b", "last"]);
});

claim("a closed scorer rejects what waits and what comes", async (page) => {
  const outcomes = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu" });
    const score = () => scorer.score("/samples/cat.jpg", "a cat").then(() => "scored", ({ code }) => code);
    const asked = [score(), score()];
    await new Promise((resolve) => setTimeout(resolve));
    scorer.close();
    return Promise.all([...asked, score(), scorer.configure({ crops: 1 }).catch(({ code }) => code)]);
  });
  assert.deepEqual(outcomes, ["closed", "closed", "closed", "closed"]);
});

claim("a bundle from the disk scores, as files and as a folder, and says what is wrong with it", async (page) => {
  const files = rebuilt({ count: 2 });
  opened.served.answer = (request, response) => {
    const file = files[request.url.slice("/disk/".length)];
    return file && response.end(file);
  };
  const outcomes = await page.evaluate(async (names) => {
    const { createScorer } = await import("/tsp-mgs.js");
    const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle("model", { create: true });
    const files = [];
    for (const name of names) {
      const blob = await (await fetch(`/disk/${name}`)).blob();
      files.push(new File([blob], name));
      const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await writable.write(blob);
      await writable.close();
    }
    const shard = files.find(({ name }) => name.startsWith("part-1"));
    const broken = new File([shard.slice(0, -1), "x"], shard.name);
    const models = [files, folder, files.filter((file) => file !== shard), files.map((file) => (file === shard ? broken : file)), [shard]];
    const outcomes = [];
    for (const model of models) {
      try {
        const scorer = await createScorer({ device: "cpu", model });
        outcomes.push(await scorer.score("/samples/cat.jpg", "a cat"));
        scorer.close();
      } catch ({ code, message }) {
        outcomes.push({ code, message });
      }
    }
    return outcomes;
  }, Object.keys(files));
  assertSame(outcomes[0], cat());
  assertSame(outcomes[1], cat());
  for (const { code } of outcomes.slice(2)) assert.equal(code, "model");
  assert.match(outcomes[2].message, /the folder has no part-1\.safetensors/);
  assert.match(outcomes[3].message, /part-1\.safetensors has SHA-256 .* expected .*: the file is damaged/);
  assert.match(outcomes[4].message, /the folder has no model\.json/);
});

claim("a graphics device that is lost is opened again, then the CPU takes over, and each image scores once", async (page) => {
  // The devices of both workers are kept where the test can destroy them, as a driver's reset does.
  await inWorker(page, `const { requestDevice } = GPUAdapter.prototype;
    GPUAdapter.prototype.requestDevice = async function (...asked) {
      return (self.card = await requestDevice.apply(this, asked));
    };
    self.addEventListener("message", ({ data }) => data.prompt === "lost here" && setTimeout(() => self.card.destroy()));`, 2);
  const { outcomes, scored, states, infos } = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const states = [];
    const infos = [];
    const scorer = await createScorer({ device: "webgpu", crops: 1, onEvent: ({ type, state }) => type === "state" && states.push(state) });
    scorer.addEventListener("state", ({ detail }) => detail.state === "ready" && infos.push(scorer.info));
    infos.push(scorer.info);
    const scored = [];
    scorer.addEventListener("scored", ({ detail }) => scored.push(detail.result.prompt));
    const image = await (await fetch("/samples/cat.jpg")).blob(); // Images by address are scored as they arrive.
    const outcomes = await Promise.all(["before", "lost here", "after"].map((prompt) =>
      scorer.score(image, prompt).catch(({ code, message }) => ({ code, message }))));
    return { outcomes, scored, states, infos };
  });
  for (const [index, prompt] of ["before", "lost here", "after"].entries()) {
    assertSame(outcomes[index], commandLine("cat.jpg", prompt, "--crops", "1"), 2 * TOLERANCE); // The GPU's exp and division differ too.
  }
  assert.deepEqual(scored, ["before", "lost here", "after"], "each once, in order");
  assert.deepEqual(infos.map(({ backend }) => backend), ["webgpu", "webgpu", "cpu"]);
  assert.match(infos[0].device, /^webgpu: \S/);
  assert.match(infos[2].reason, /WebGPU stopped: the graphics device was lost/);
  assert.deepEqual(states.filter((state) => state !== "loading"), ["ready", "recovering", "ready", "recovering", "ready"]);
}, { provoked: [/Device was lost|device.*lost|destroyed|panicked/i] });

claim("<tsp-score> shows both scores, tells them, and shares one worker", async (page) => {
  await page.evaluate(async () => {
    await import("/cdn.js");
    window.told = [];
    for (const type of ["tsp-score", "tsp-error"]) {
      addEventListener(type, ({ detail, target }) => window.told.push({ type, id: target.id, detail }));
    }
    document.body.innerHTML = `<tsp-score id="cat" device="cpu" src="/samples/cat.jpg" prompt="a cat"></tsp-score>
      <tsp-score id="own" device="cpu" src="/samples/rocket.png"></tsp-score>
      <tsp-score id="broken" device="cpu" src="/none.jpg"></tsp-score>`;
  });
  await page.waitForFunction(() => window.told.length === 3);
  const told = async () => Object.fromEntries((await page.evaluate(() => window.told)).map(({ id, type, detail }) => [id, { type, detail }]));
  const { cat: first, own, broken } = await told();
  assertSame(first.detail, cat());
  assertSame(own.detail, commandLine("rocket.png", null));
  assert.equal(broken.type, "tsp-error");
  assert.equal(broken.detail.code, "network");
  const shown = (id, part) => page.locator(`#${id} [part~=${part}]`).allTextContents();
  await page.locator("#cat [part~=value]").first().waitFor();
  assert.deepEqual((await shown("cat", "value")).map((text) => text.trim()), [cat().perception, cat().alignment].map(({ score }) => score.toFixed(2)));
  assert.match((await shown("broken", "error"))[0], /^Could not download .*none\.jpg: the server answered 404 Not Found; check the address\.$/);
  const [note] = cat().notes;
  if (note) assert.match((await shown("cat", "warning"))[0], new RegExp(note, "i"));

  // Another prompt scores anew; the picture it is in stays.
  await page.evaluate(() => {
    window.told = [];
    document.getElementById("cat").setAttribute("prompt", "a dog");
  });
  await page.waitForFunction(() => window.told.length === 1);
  assertSame((await told()).cat.detail, commandLine("cat.jpg", "a dog"));
  assert.equal(page.workers().length, 1);
}, { provoked: [/Failed to load resource/] });

for (const [name, isDone] of [["scorer", () => /^looks -?\d/.test(document.getElementById("out").textContent)],
  ["element", () => [...document.querySelectorAll("tsp-score")].every(({ result }) => result)],
  ["gallery", null]]) {
  claim(`the example ${name}.html scores`, async (page) => {
    opened.served.answer = (request, response) => {
      if (request.url !== `/examples/${name}.html`) return false;
      response.setHeader("content-type", "text/html").end(readFileSync(join(www, "examples", `${name}.html`)));
      return true;
    };
    const logged = [];
    page.on("console", (message) => logged.push(message.text()));
    await page.goto(`${opened.served.origin}/examples/${name}.html`);
    if (isDone) await page.waitForFunction(isDone);
    if (name === "scorer") {
      const { perception, alignment } = commandLine("cat.jpg", "close-up photo of a ginger tabby cat");
      const [looks, shows] = (await page.textContent("#out")).match(/-?\d+\.\d+/g);
      near(looks, perception.score);
      near(shows, alignment.score);
      return;
    }
    // The other two log a score for each image.
    const { file, prompt } = name === "element" ? { file: "cat.jpg", prompt: "close-up photo of a ginger tabby cat" } : sample;
    const found = new RegExp(`${file} (-?[\\d.]+)$`);
    while (!logged.some((line) => found.test(line))) await page.waitForEvent("console");
    near(logged.find((line) => found.test(line)).match(found)[1], commandLine(file, prompt).perception.score);
  }, { provoked: [/favicon/, /Failed to load resource/] });
}

function near(text, expected) {
  assert.ok(Math.abs(text - expected) <= TOLERANCE + 0.005, `shown ${text}, the command line has ${expected}`);
}
