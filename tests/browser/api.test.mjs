// api.test.mjs — what a call to the library takes, gives and refuses. Scores are the command line's.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Results } from "../../www/src/gallery/results.js";
import { camelCase, snakeCase } from "../../www/src/engine/names.js";
import { assertSame, claims, commandLine, opening, rebuilt } from "./served.mjs";

const opened = opening();
const claim = claims(opened);
const rocket = (...more) => commandLine("rocket.png", "a rocket", ...more);

claim("every kind of image scores as its file does", async (page) => {
  const scores = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu" });
    const address = "/samples/rocket.png";
    const bytes = await (await fetch(address)).arrayBuffer();
    const bitmap = await createImageBitmap(new Blob([bytes]));
    const { width, height } = bitmap;
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const offscreen = new OffscreenCanvas(width, height);
    offscreen.getContext("2d").drawImage(bitmap, 0, 0);
    const img = Object.assign(new Image(8, 8), { src: address }); // Its size on the page does not count.
    const images = [bytes, new Uint8Array(bytes), canvas, offscreen, context.getImageData(0, 0, width, height), img];
    return Promise.all(images.map((image) => scorer.score(image, "a rocket", { crops: 1 })));
  });
  assert.equal(scores.length, 6);
  for (const score of scores) assertSame(score, rocket("--crops", "1"));
});

claim("transparent pixels of an ImageData score as those of a file", async (page) => {
  const [image, file] = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", crops: 1 });
    const bitmap = await createImageBitmap(await (await fetch("/samples/rocket.png")).blob());
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.globalAlpha = 0.5;
    context.drawImage(bitmap, 0, 0);
    return [await scorer.score(context.getImageData(0, 0, canvas.width, canvas.height), "a rocket"), await scorer.score(await canvas.convertToBlob(), "a rocket")];
  });
  assertSame(image, snakeCase(file));
  assert.ok(Math.abs(image.perception.score - rocket("--crops", "1").perception.score) > 0.01, "they are not those of the opaque image");
});

claim("a call has its own crops, and other crops load no model again", async (page) => {
  const { crops, refused, states, one, infos, max } = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const states = [];
    const scorer = await createScorer({ device: "cpu", onEvent: ({ type, state }) => type === "state" && states.push(state) });
    const score = (options) => scorer.score("/samples/rocket.png", "a rocket", options);
    const [default_, one, five, again] = await Promise.all([score(), score({ crops: 1 }), score({ crops: 5 }), score()]);
    const infos = [scorer.info.crops];
    await scorer.configure({ crops: 1 });
    infos.push(scorer.info.crops);
    const refused = await Promise.all([score({ crops: 1000 }), score({ crops: 0 }), scorer.configure({ crops: 1000 })]
      .map((call) => call.catch(({ code, message }) => `${code}: ${message}`)));
    return { crops: [default_, one, five, again, await score()].map(({ crops }) => crops), refused, states, one, infos, max: scorer.info.maxCrops };
  });
  assert.deepEqual(crops, [15, 1, 5, 15, 1]);
  assertSame(one, rocket("--crops", "1"));
  assert.deepEqual(infos, [15, 1]);
  assert.deepEqual(refused, [`argument: 1000 crops: expected 1 to ${max}, the number of crop positions in the smallest image`, "argument: 0 crops: expected a whole number from 1, such as 1, 5 or 15",
    `argument: 1000 crops: expected 1 to ${max}, the number of crop positions in the smallest image`]);
  assert.equal(states.filter((state) => state === "loading").length, 2, "starting, and starting on the CPU");
  assert.equal(page.workers().length, 1);
});

claim("scoreAll gives a result or an error for each image, in order, and stops when it is left or aborted", async (page) => {
  const { outputs, asked, left, aborted, reason } = await page.evaluate(async () => {
    const { createScorer, ScoreError } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", crops: 1 });
    const outputs = [];
    const images = ["/samples/rocket.png", { image: "/none.png", prompt: "a rocket" }, { image: "/samples/rocket.png", prompt: "a rocket" }];
    for await (const { index, prompt, result, error } of scorer.scoreAll(images)) outputs.push({ index, prompt, result, code: error instanceof ScoreError ? error.code : null });

    let asked = 0;
    function* endless() {
      for (;; asked += 1) yield { image: "/samples/rocket.png", prompt: `rocket ${asked}` };
    }
    const scored = [];
    scorer.addEventListener("scored", ({ detail }) => scored.push(detail.result.prompt));
    for await (const { index } of scorer.scoreAll(endless())) if (index === 1) break;
    await scorer.score("/samples/rocket.png", "after"); // What was asked for in advance is not scored before it.
    const left = scored.length;

    const controller = new AbortController();
    const outcome = async (signal, change = () => {}) => {
      try {
        for await (const _ of scorer.scoreAll(endless(), { signal })) change();
      } catch (error) {
        return error;
      }
    };
    const { name } = await outcome(controller.signal, () => controller.abort());
    const own = new Error("enough");
    const reason = (await outcome(AbortSignal.abort(own))) === own;
    return { outputs, asked, left, aborted: name, reason };
  });
  assert.deepEqual(outputs.map(({ index, prompt, code }) => [index, prompt, code]), [[0, null, null], [1, "a rocket", "network"], [2, "a rocket", null]]);
  assertSame(outputs[0].result, commandLine("rocket.png", null, "--crops", "1"));
  assert.equal(outputs[1].result, null);
  assertSame(outputs[2].result, rocket("--crops", "1"));
  assert.ok(asked < 20, `${asked} images of an endless list were asked for`);
  assert.ok(left <= 4, `${left} images were scored, 2 of them were wanted`);
  assert.equal(aborted, "AbortError");
  assert.ok(reason, "a signal's own reason is thrown");
}, { provoked: [/Failed to load resource/] });

claim("wrong arguments, an early question and the end of a scope are told as such", async (page) => {
  const told = await page.evaluate(async () => {
    const { createScorer, Scorer, preload } = await import("/tsp-mgs.js");
    const of = (call) => Promise.resolve().then(call).then(() => "no error", ({ name, code, message }) => `${name} ${code}: ${message}`);
    const scorer = new Scorer({ device: "cpu", crops: 1 });
    const early = await of(() => scorer.info);
    await scorer.ready;
    const { port1 } = new MessageChannel();
    const wrong = [await of(() => scorer.score(null)), await of(() => scorer.score(port1)), await of(() => scorer.score("/samples/cat.jpg", 5)), await of(() => scorer.score(new Image())),
      await of(() => createScorer({ model: 5 })), await of(() => preload("https://["))];
    scorer[Symbol.dispose]();
    const signal = AbortSignal.abort();
    return { early, wrong, closed: [scorer.isClosed, await of(() => scorer.score("/samples/cat.jpg"))], aborted: [await of(() => createScorer({ signal })), await of(() => preload("/model/model.json", { signal }))] };
  });
  assert.match(told.early, /^ScoreError not-ready: the scorer has not loaded its model yet/);
  assert.match(told.wrong[0], /^ScoreError argument: no image: expected a Blob, .* found null$/);
  assert.match(told.wrong[1], /^ScoreError argument: no image: .* found MessagePort$/);
  assert.match(told.wrong[2], /^ScoreError argument: the prompt is of type number/);
  assert.match(told.wrong[3], /^ScoreError argument: the <img> has no src/);
  assert.match(told.wrong[4], /^ScoreError argument: no model: .* found number$/);
  assert.match(told.wrong[5], /^ScoreError argument: "https:\/\/\[" is not the address of a model\.json$/);
  assert.deepEqual(told.closed, [true, "ScoreError closed: the scorer was closed"]);
  for (const aborted of told.aborted) assert.match(aborted, /^AbortError 20: /);
});

claim("a model's size is known before, and it can be loaded ahead", async (page) => {
  const files = rebuilt({ count: 2, bytes: 21e6 });
  const asked = [];
  opened.served.answer = (request, response) => {
    const file = files[request.url.slice("/big/".length)];
    if (file) asked.push(request.url);
    return file && response.end(file);
  };
  const { before, after, progress, fromCache, questions } = await page.evaluate(async () => {
    const { createScorer, isModelCached, modelSize, preload } = await import("/tsp-mgs.js");
    const model = "/big/model.json";
    const before = [await isModelCached(model), await modelSize(model)];
    const progress = [];
    await preload(model, { onProgress: ({ loaded, total }) => progress.push([loaded, total]) });
    const after = [await isModelCached(new URL(model, location.href)), await modelSize(model)];
    let questions = 0;
    const scorer = await createScorer({ device: "cpu", model, confirmDownload: () => (questions += 1, false) });
    const { fromCache } = scorer.info;
    scorer.close();
    return { before, after, progress, fromCache, questions };
  });
  const bytes = Object.entries(files).filter(([name]) => name !== "model.json").reduce((sum, [, file]) => sum + file.length, 0);
  assert.deepEqual(before, [false, { bytes, toDownload: bytes }]);
  assert.deepEqual(after, [true, { bytes, toDownload: 0 }]);
  assert.deepEqual(progress.at(-1), [bytes, bytes]);
  assert.deepEqual([fromCache, questions], [true, 0]);
  assert.equal(asked.filter((url) => url.endsWith(".safetensors")).length, 2);
});

claim("a model of the hub is named by hf:ORG/NAME and loaded from its repository", async (page) => {
  const asked = [];
  await page.route("https://huggingface.co/**", async (route) => {
    const address = new URL(route.request().url());
    asked.push(address.pathname);
    const body = await (await fetch(new URL(`/model/${address.pathname.split("/").at(-1)}`, opened.served.origin))).arrayBuffer();
    await route.fulfill({ body: Buffer.from(body), headers: { "access-control-allow-origin": "*" } });
  });
  const { result, wrong } = await page.evaluate(async () => {
    const { createScorer, modelSize } = await import("/tsp-mgs.js");
    const of = (model) => modelSize(model).then(() => "no error", ({ code, message }) => `${code}: ${message}`);
    const scorer = await createScorer({ device: "cpu", model: "hf:an-org/a.model@refs/pr/1", crops: 1 });
    const result = await scorer.score("/samples/rocket.png", "a rocket");
    scorer.close();
    await modelSize("hf:an-org/a.model");
    return { result, wrong: [await of("hf:name"), await of("hf:a/b/c"), await of("hf:../b"), await of("hf:a/b@")] };
  });
  assertSame(result, rocket("--crops", "1"));
  assert.equal(asked[0], "/an-org/a.model/resolve/refs%2Fpr%2F1/model.json");
  assert.equal(asked.at(-1), "/an-org/a.model/resolve/main/model.json");
  assert.ok(asked.some((path) => path.startsWith("/an-org/a.model/resolve/refs%2Fpr%2F1/") && path.endsWith(".safetensors")), asked.join(", "));
  for (const text of wrong) assert.match(text, /^argument: "hf:.*" is no name of a model: expected hf:ORG\/NAME/);
});

claim("an AVIF file is decoded by the browser, and the result says so", async (page) => {
  const fixture = (name) => [...readFileSync(new URL(`../fixtures/${name}`, import.meta.url))];
  const files = [fixture("browser.avif"), fixture("images/upscaled_300x200.png")];
  const heic = [0, 0, 0, 24, ...new TextEncoder().encode("ftypheic"), ...Array(100).fill(0)];
  const { avif, png, error } = await page.evaluate(async ({ files, heic }) => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", crops: 1 });
    const [avif, png] = await Promise.all(files.map((bytes) => scorer.score(new Uint8Array(bytes), "a scene")));
    const error = await scorer.score(new Uint8Array(heic), "a scene").catch(({ code, message }) => `${code}: ${message}`);
    return { avif, png, error };
  }, { files, heic });
  assert.deepEqual([avif.width, avif.height], [300, 200]);
  for (const task of ["perception", "alignment"]) {
    const difference = Math.abs(avif[task].score - png[task].score);
    assert.ok(difference < 0.05, `${task} differs by ${difference}`); // The pixels differ by up to three levels.
  }
  assert.deepEqual(avif.notes.filter((note) => !png.notes.includes(note)), ["the browser decoded the image: another browser may decode it to slightly different pixels and scores"]);
  assert.match(error, /^image: this browser cannot decode the HEIC file: .* convert it to PNG$/);
});

claim("a scorer works in a worker of one's own", async (page) => {
  const result = await page.evaluate(async (origin) => {
    const code = `import { createScorer } from "${origin}/tsp-mgs.js";
      const scorer = await createScorer({ device: "cpu", model: "${origin}/model/model.json" });
      postMessage(await scorer.score("${origin}/samples/rocket.png", "a rocket", { crops: 1 }));`;
    const worker = new Worker(URL.createObjectURL(new Blob([code], { type: "text/javascript" })), { type: "module" });
    return new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
    });
  }, opened.served.origin);
  assertSame(result, rocket("--crops", "1"));
});

claim("<tsp-score> asks before a large download, and takes another scorer when the shared one was closed", async (page) => {
  const files = rebuilt({ bytes: 21e6 });
  let shards = 0;
  opened.served.answer = (request, response) => {
    const file = files[request.url.slice("/big/".length)];
    if (file && request.url.endsWith(".safetensors")) shards += 1;
    return file && response.end(file);
  };
  await page.evaluate(async () => {
    await import("/cdn.js");
    const tag = (id) => `<tsp-score id="${id}" device="cpu" crops="1" model="/big/model.json" src="/samples/rocket.png" prompt="a rocket"></tsp-score>`;
    document.body.innerHTML = tag("first") + tag("second");
  });
  const question = (id) => page.locator(`#${id} [part=question]`);
  await question("first").waitFor();
  await question("second").waitFor();
  assert.match(await question("first").textContent(), /21 MB must be downloaded/);
  assert.equal(shards, 0);
  await page.locator("#second").getByRole("button", { name: "Not now" }).click();
  await page.locator("#first").getByRole("button", { name: "Score" }).click();
  await page.locator("#first").getByRole("button", { name: "Download" }).click();
  await page.locator("#first [part~=value]").first().waitFor();
  assertSame(await page.evaluate(() => document.getElementById("first").result), rocket("--crops", "1"));
  assert.equal(shards, 1);
  assert.equal(page.workers().length, 1);

  // One's own scorer, closed, and the page's own in its place.
  const result = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu", model: "/big/model.json", confirmDownload: () => false });
    scorer.close();
    const element = document.getElementById("second");
    const result = new Promise((resolve) => element.addEventListener("tsp-score", ({ detail }) => resolve(detail), { once: true }));
    element.scorer = scorer;
    return result;
  });
  assertSame(result, rocket("--crops", "1"));
});

claim("<tsp-score result> shows what the command line wrote, and loads neither worker nor model", async (page) => {
  const row = rocket();
  const value = () => page.locator("#given [part~=value]").allTextContents().then((texts) => texts.map((text) => text.trim()));
  await page.evaluate(async (row) => {
    await import("/cdn.js");
    const element = Object.assign(document.createElement("tsp-score"), { id: "given" });
    element.setAttribute("src", "/samples/rocket.png");
    element.setAttribute("device", "cpu");
    element.setAttribute("result", JSON.stringify(row));
    document.body.append(element);
  }, row);
  await page.locator("#given [part~=value]").first().waitFor();
  const numbers = ({ perception, alignment }) => [perception, alignment].map(({ score }) => score.toFixed(2));
  assert.deepEqual(await value(), numbers(row));
  assert.equal(await page.evaluate(() => document.getElementById("given").result.promptSource), row.prompt_source);
  await page.evaluate(() => document.getElementById("given").setAttribute("prompt", "another"));
  assert.deepEqual(await value(), numbers(row), "another prompt scores nothing");

  for (const [wrong, message] of [["{", /not JSON/], ['{"path": "a.png"}', /has no score/], ['{"error": "it is no image"}', /It is no image/]]) {
    await page.evaluate((wrong) => document.getElementById("given").setAttribute("result", wrong), wrong);
    await page.locator("#given [part~=error]").filter({ hasText: message }).waitFor();
  }
  assert.equal(page.workers().length, 0);
  assert.deepEqual(opened.served.asked.filter((path) => /wasm|model|worker/.test(path)), []);

  const result = await page.evaluate(() => new Promise((resolve) => {
    const element = document.getElementById("given");
    element.addEventListener("tsp-score", ({ detail }) => resolve(detail), { once: true });
    element.setAttribute("prompt", "a rocket");
    element.removeAttribute("result");
  }));
  assertSame(result, row);
  assert.deepEqual(await value(), numbers(row));
});

test("names turn both ways, and results of earlier versions are read", async () => {
  const native = { prompt_source: "argument", perception: { q_image: 1, words: [{ w_image: null, text: "q_image" }] }, notes: ["a_b"] };
  const named = { promptSource: "argument", perception: { qImage: 1, words: [{ wImage: null, text: "q_image" }] }, notes: ["a_b"] };
  assert.deepEqual(camelCase(native), named);
  assert.deepEqual(camelCase(named), named);
  assert.deepEqual(snakeCase(named), native);

  const results = new Results(10, () => {}); // In memory, as there is no database here.
  await results.put("old", { width: 8, prompt_source: "argument", perception: { q_image: 1 } }, { dtype: "f32" });
  assert.deepEqual((await results.get("old")).result, { width: 8, promptSource: "argument", perception: { qImage: 1 } });
});
