// build.mjs — copies the icon, the examples, the licences and the samples to dist/, lists the samples, and minifies the
// JavaScript of the wasm modules. Vite puts the code beside them, `make web` the wasm modules and the model.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, parse } from "node:path";
import { minifySync } from "vite";

const www = import.meta.dirname;
const dist = join(www, "dist");
mkdirSync(dist, { recursive: true });
for (const name of ["icon.svg", "examples"]) cpSync(join(www, name), join(dist, name), { recursive: true });
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) cpSync(join(www, "..", name), join(dist, name));

const samples = join(www, "samples");
rmSync(join(dist, "samples"), { recursive: true, force: true });
mkdirSync(join(dist, "samples"));
const images = existsSync(samples) ? readdirSync(samples).filter((name) => /\.(jpe?g|png|webp)$/.test(name)).sort() : [];
const listed = images.map((file) => {
  cpSync(join(samples, file), join(dist, "samples", file));
  const sidecar = join(samples, `${parse(file).name}.txt`);
  return { file, prompt: existsSync(sidecar) ? readFileSync(sidecar, "utf8").trim() : null };
});
writeFileSync(join(dist, "samples", "samples.json"), JSON.stringify(listed, null, 2));

const modules = join(dist, "wasm");
for (const name of existsSync(modules) ? readdirSync(modules) : []) {
  const path = join(modules, name, "tsp_mgs_web.js");
  const { code, errors } = minifySync(path, readFileSync(path, "utf8"), { module: true });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  writeFileSync(path, code);
}
