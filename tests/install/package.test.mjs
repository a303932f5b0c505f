// The npm package in an empty folder: PACKAGE is the file that `npm pack` makes.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";

/** @type {string} */ let folder;
const installed = (/** @type {string[]} */ ...names) => join(folder, "node_modules/tsp-mgs", ...names);

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", private: true }));
  execFileSync("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", resolve(process.env.PACKAGE ?? "")], { cwd: folder, stdio: "pipe" });
});
after(() => rmSync(folder, { recursive: true }));

test("every export of the package resolves to a file that is there", () => {
  const manifest = JSON.parse(readFileSync(installed("package.json"), "utf8"));
  const { resolve } = createRequire(join(folder, "any.js"));
  /** @param {unknown} target @returns {string[]} */
  const targets = (target) => typeof target === "string" ? [target] : Object.values(/** @type {object} */ (target)).flatMap(targets);
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (name.includes("*")) continue;
    const files = targets(target);
    for (const file of files) assert.ok(existsSync(installed(file)), `${name}: ${file}`);
    // What has types alone is not for Node.
    if (!files.every((file) => file.endsWith(".d.ts"))) resolve(join("tsp-mgs", name));
  }
  if (manifest.types) assert.ok(existsSync(installed(manifest.types)));
  assert.throws(() => resolve("tsp-mgs/src/index.js"), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
});

test("modules, worker, licences and types are in the package, and no model and no page", () => {
  for (const name of ["webgpu", "cpu", "cpu-relaxed"]) {
    const wasm = readFileSync(installed("dist/wasm", name, "tsp_mgs_web_bg.wasm"));
    // Node 20 does not know the multiply-adds of cpu-relaxed.
    if (name !== "cpu-relaxed") assert.ok(WebAssembly.validate(wasm), name);
    assert.equal(wasm.subarray(0, 4).toString("latin1"), "\0asm", name);
    assert.ok(existsSync(installed("dist/wasm", name, "tsp_mgs_web.js")));
  }
  for (const name of ["tsp-mgs-worker.js", "LICENSE-MIT", "LICENSE-APACHE", "types/index.d.ts"]) assert.ok(existsSync(installed("dist", name)), name);
  for (const name of ["model", "samples", "index.html"]) assert.ok(!existsSync(installed("dist", name)), name);
});
