// quantised.test.mjs — a bundle in 8-bit integers scores on a browser's CPU as on the command line in 8 bits, with either module.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { assertSame, claims, dist, inWorker, opening, trainer } from "./served.mjs";

/** Sums of floats in another order can move a rounded input by one level; the command line's instruction sets differ by as much (tests/suite/cli.rs). */
const TOLERANCE = 0.01;
const PROMPT = "a rocket";

const opened = opening();
const claim = claims(opened);
const folder = mkdtempSync(join(tmpdir(), "tsp-mgs-quantised-"));
const model = join(folder, "q8");
before(() => execFileSync(trainer(), ["export", "--dtype", "q8", "--out", model], { stdio: "pipe" }));
after(() => rmSync(folder, { recursive: true }));

for (const [browser, module, change] of [
  ["with relaxed SIMD", "cpu-relaxed", ""],
  // The probe of relaxed SIMD is the one with three operands.
  ["without relaxed SIMD", "cpu", "const { validate } = WebAssembly; WebAssembly.validate = (bytes) => bytes[12] !== 3 && validate(bytes);"],
]) {
  claim(`8-bit weights are multiplied in 8 bits in a browser ${browser}`, async (page) => {
    opened.served.answer = (request, response) => {
      if (!request.url.startsWith("/q8/")) return false;
      response.end(readFileSync(join(model, request.url.slice("/q8/".length))));
      return true;
    };
    await inWorker(page, change);
    const { result, dtype } = await page.evaluate(async (prompt) => {
      const { createScorer } = await import("/tsp-mgs.js");
      const scorer = await createScorer({ model: "/q8/model.json", device: "cpu" });
      return { result: await scorer.score("/samples/rocket.png", prompt), dtype: scorer.info.dtype };
    }, PROMPT);
    assert.equal(dtype, "q8");
    assert.ok(opened.served.asked.includes(`/wasm/${module}/tsp_mgs_web_bg.wasm`));
    const native = (precision) => JSON.parse(execFileSync(trainer(), ["score", "--format", "jsonl", "--model", model, "--precision", precision,
      "--prompt", PROMPT, join(dist, "samples/rocket.png")], { encoding: "utf8", stdio: "pipe" }));
    const [int8, f32] = ["int8", "f32"].map(native);
    assertSame(result, int8, TOLERANCE);
    const distance = (other) => Math.abs(result.perception.score - other.perception.score);
    assert.ok(distance(int8) < distance(f32), `${distance(int8)} from 8 bits, ${distance(f32)} from float32`);
  });
}
