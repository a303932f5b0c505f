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
  execFileSync("npm", ["install", "--offline", "--no-audit", "--no-fund", resolve(process.env.PACKAGE ?? "")], { cwd: folder, stdio: "pipe" });
});
after(() => rmSync(folder, { recursive: true }));

test("every export of the package resolves to a file that is there", () => {
  const manifest = JSON.parse(readFileSync(installed("package.json"), "utf8"));
  const { resolve } = createRequire(join(folder, "any.js"));
  /** @param {unknown} target @returns {string[]} */
  const targets = (target) => typeof target === "string" ? [target] : Object.values(/** @type {object} */ (target)).flatMap(targets);
  for (const [name, target] of Object.entries(manifest.exports)) {
    if (name.includes("*")) continue;
    for (const file of targets(target)) assert.ok(existsSync(installed(file)), `${name}: ${file}`);
    resolve(join("tsp-mgs", name));
  }
  assert.ok(existsSync(installed(manifest.types)));
  assert.throws(() => resolve("tsp-mgs/src/index.js"), { code: "ERR_PACKAGE_PATH_NOT_EXPORTED" });
});

test("modules, worker, licences and types are in the package, and no model and no page", () => {
  for (const name of ["webgpu", "cpu", "cpu-relaxed"]) {
    const wasm = readFileSync(installed("dist/wasm", name, "tsp_mgs_web_bg.wasm"));
    assert.ok(WebAssembly.validate(wasm), name);
    assert.ok(existsSync(installed("dist/wasm", name, "tsp_mgs_web.js")));
  }
  for (const name of ["tsp-mgs-worker.js", "LICENSE-MIT", "LICENSE-APACHE", "types/index.d.ts"]) assert.ok(existsSync(installed("dist", name)), name);
  for (const name of ["model", "samples", "index.html"]) assert.ok(!existsSync(installed("dist", name)), name);
});
