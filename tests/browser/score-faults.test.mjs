// score-faults.test.mjs — what can go wrong with image, server, browser and device while scoring gets its own sentence, and the
// rest goes on.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { assertSame, claims, commandLine, dist, FAILED_REQUEST, IMPATIENT, inWorker, load, opening } from "./served.mjs";

const opened = opening();
const claim = claims(opened);

const cat = () => commandLine("cat.jpg", "a cat");

claim("images that cannot be scored say why, and the next ones score", async (page) => {
  const big = Buffer.from(readFileSync(join(dist, "samples/rocket.png")));
  big.writeUInt32BE(20_000, 16);
  big.writeUInt32BE(20_000, 20);
  big.writeUInt32BE(crc32(big.subarray(12, 29)), 29);
  opened.served.answer = (request, response) => {
    if (request.url === "/samples/big.png") return response.end(big);
    if (request.url === "/samples/text.png") return response.end("This is no picture.\n");
    if (request.url === "/samples/short.jpg") return response.end(readFileSync(join(dist, "samples/cat.jpg")).subarray(0, 20_000));
    return false;
  };
  const address = `${opened.served.elsewhere}/samples/cat.jpg`; // Another origin, whose server does not allow it.
  const { results } = await load(page, { scores: ["big.png", "text.png", "short.jpg", "none.jpg", `../../../${address}`, "cat.jpg"] });
  const [huge, text, short, missing, , fine] = results;
  const refused = await page.evaluate(async (address) => {
    const { createScorer } = await import("/tsp-mgs.js");
    const scorer = await createScorer({ device: "cpu" });
    return [
      await scorer.score(address, "a cat").catch(({ code, message }) => ({ code, message })),
      await scorer.score({ length: 3 }, "a cat").catch(({ code, message }) => ({ code, message })),
      await scorer.score("https://[", "a cat").catch(({ code, message }) => ({ code, message })),
    ];
  }, address);
  for (const { code } of [huge, text, short]) assert.equal(code, "image");
  for (const { code } of [refused[1], refused[2]]) assert.equal(code, "argument");
  for (const { code } of [missing, refused[0]]) assert.equal(code, "network");
  assert.match(huge.message, /20000 × 20000 pixels, expected 1 to 16384 a side/);
  assert.match(text.message, /not an image that can be decoded/);
  assert.match(short.message, /damaged|too early|decoded/);
  assert.match(missing.message, /none\.jpg: the server answered 404 Not Found/);
  assert.match(refused[0].message, /the network is down, or localhost:\d+ does not allow other sites to read its files \(CORS\); check the connection, or download the file/);
  assert.match(refused[1].message, /expected a Blob, an address, .* found Object$/);
  assert.match(refused[2].message, /"https:\/\/\[" is not the address/);
  assertSame(fine, cat());
}, { provoked: [...FAILED_REQUEST, /CORS policy/] });

claim("an image whose server stalls is given up, and keeps no other waiting", async (page) => {
  await page.evaluate(IMPATIENT);
  opened.served.answer = (request, response) => {
    if (request.url !== "/samples/never.jpg") return false;
    response.writeHead(200);
    response.write("\xff");
    return true;
  };
  const { results } = await load(page, { scores: ["never.jpg", "cat.jpg"] });
  assert.equal(results[0].code, "network");
  assert.match(results[0].message, /the server has sent nothing for 30 s/);
  assertSame(results[1], cat());
});

claim("a browser without SIMD is told so", async (page) => {
  await inWorker(page, "WebAssembly.validate = () => false;");
  const { code, message } = await load(page);
  assert.equal(code, "device");
  assert.match(message, /no SIMD, which scoring needs: use a browser of 2023 or later/);
});

for (const [what, module, code] of [
  ["with relaxed SIMD", "cpu-relaxed", ""],
  // The probe of relaxed SIMD is the one with three operands.
  ["without relaxed SIMD", "cpu", "const { validate } = WebAssembly; WebAssembly.validate = (bytes) => bytes[12] !== 3 && validate(bytes);"],
]) {
  claim(`a browser ${what} loads one module, ${module}, and scores the same`, async (page) => {
    const loaded = new Set();
    page.on("request", (request) => loaded.add(/wasm\/([\w-]+)\/.*\.wasm$/.exec(request.url())?.[1]));
    await inWorker(page, code);
    const { info, results } = await load(page);
    assert.equal(info.backend, "cpu");
    assert.deepEqual([...loaded].filter(Boolean), [module]);
    assertSame(results[0], cat());
  });
}

claim("a browser without WebGPU scores on the CPU and says why; asked for by name, it refuses", async (page) => {
  const without = 'Object.defineProperty(navigator, "gpu", { value: undefined });';
  await inWorker(page, without);
  const { info, results } = await load(page, { device: "auto" });
  assert.equal(info.backend, "cpu");
  assert.equal(info.reason, "this browser has no WebGPU");
  assertSame(results[0], cat());
  await inWorker(page, without);
  const { code, message } = await load(page, { device: "webgpu" });
  assert.equal(code, "device");
  assert.match(message, /could not start: this browser has no WebGPU/);
});

claim("a module that cannot be loaded is said", async (page) => {
  await page.route("**/wasm/cpu*/*.wasm", (route) => route.fulfill({ status: 404 }));
  const { code, message } = await load(page);
  assert.equal(code, "device");
  assert.match(message, /could not start/);
}, { provoked: [...FAILED_REQUEST, /WebAssembly/] });

claim("an image that stops the module twice is given up, the others score once each", async (page) => {
  // No image is known that the module cannot bear, so a file of one byte stands for it.
  const deadly = `self.addEventListener("message", (event) => {
      if (event.data.image?.byteLength !== 1) return;
      event.stopImmediatePropagation();
      setTimeout(() => { throw new WebAssembly.RuntimeError("unreachable"); });
    });`;
  await inWorker(page, deadly, 3);
  const { outcomes, states, scored } = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const states = [];
    const scorer = await createScorer({ device: "cpu", onEvent: ({ type, state }) => type === "state" && states.push(state) });
    let scored = 0;
    scorer.addEventListener("scored", () => { scored += 1; });
    const image = await (await fetch("/samples/cat.jpg")).blob();
    const outcomes = await Promise.all([image, new Blob(["x"]), image, image].map((blob) =>
      scorer.score(blob, "a cat").catch(({ code, message }) => ({ code, message }))));
    return { outcomes, states, scored };
  });
  assert.equal(outcomes[1].code, "image");
  assert.match(outcomes[1].message, /stopped at this image twice: .*unreachable/);
  for (const index of [0, 2, 3]) assertSame(outcomes[index], cat());
  assert.equal(scored, 3);
  assert.deepEqual(states.filter((state) => state !== "loading"), ["ready", "recovering", "ready", "recovering", "ready"]);
});

/** Of PNG chunks. */
function crc32(bytes) {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ -1) >>> 0;
}
