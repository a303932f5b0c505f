// size.mjs — compares the gzipped sizes of the files that a browser loads with those in size.json. It fails if one grew by more than
// 5 % or exceeds its limit.
//
//   node size.mjs            compares; OUT names another folder than dist/
//   node size.mjs --record   writes the sizes to size.json

import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const www = import.meta.dirname;
const out = resolve(www, process.env.OUT ?? "dist");
const record = join(www, "size.json");

/** The files of each part. A browser loads one of the three modules. The JavaScript that wasm-bindgen generates counts with its module. */
const parts = {
  page: ["page.js", "tsp-mgs-worker.js", "service-worker.js"],
  scorer: [...filesOf("tsp-mgs.js"), "tsp-mgs-worker.js"],
  published: filesOf("published.js"),
  cdn: ["cdn.js", "tsp-mgs-worker.js"],
  "wasm cpu": ["wasm/cpu/tsp_mgs_web.js", "wasm/cpu/tsp_mgs_web_bg.wasm"],
  "wasm cpu-relaxed": ["wasm/cpu-relaxed/tsp_mgs_web.js", "wasm/cpu-relaxed/tsp_mgs_web_bg.wasm"],
  "wasm webgpu": ["wasm/webgpu/tsp_mgs_web.js", "wasm/webgpu/tsp_mgs_web_bg.wasm"],
};
/** The limits in bytes, gzipped. */
const LIMIT = { page: 60_000, scorer: 20_000, published: 12_000, cdn: 60_000, "wasm cpu": 3_000_000, "wasm cpu-relaxed": 3_000_000, "wasm webgpu": 3_000_000 };
const GROWTH = 0.05;

const sizes = Object.fromEntries(Object.entries(parts).map(([name, files]) => [name, files.reduce((sum, file) => sum + gzipped(file), 0)]));
if (process.argv.includes("--record")) writeFileSync(record, `${JSON.stringify(sizes, null, 2)}\n`);
const recorded = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")) : {};

const rows = Object.entries(sizes).map(([name, size]) => {
  const before = recorded[name];
  const growth = before === undefined ? 0 : size / before - 1;
  const wrong = size > LIMIT[name] ? `over the limit of ${LIMIT[name]}`
    : growth > GROWTH ? `grew by more than ${GROWTH * 100} %: make it smaller, or record it with --record` : "";
  return { name, size, before: before ?? "–", growth: `${(growth * 100).toFixed(1)} %`, wrong };
});
console.log(`${"gzipped bytes".padEnd(18)}${"now".padStart(10)}${"recorded".padStart(10)}${"growth".padStart(9)}`);
for (const { name, size, before, growth, wrong } of rows) {
  console.log(`${name.padEnd(18)}${String(size).padStart(10)}${String(before).padStart(10)}${growth.padStart(9)}  ${wrong}`.trimEnd());
}
if (rows.some(({ wrong }) => wrong)) process.exitCode = 1;

/** An entry and the files that it imports from beside it. */
function filesOf(entry) {
  const code = readFileSync(join(out, entry), "utf8");
  return [entry, ...[...code.matchAll(/from\s?"\.\/([\w.-]+)"/g)].flatMap(([, file]) => filesOf(file))].filter((file, index, all) => all.indexOf(file) === index);
}

function gzipped(file) {
  const path = join(out, file);
  if (!existsSync(path)) throw new Error(`${path} is missing: run make web`);
  // Node's gzip makes files 1.5 % larger.
  return execFileSync("gzip", ["-9", "-n", "-c", path], { maxBuffer: 1 << 30 }).length;
}
