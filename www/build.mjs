// build.mjs — copies the page to dist/ and lists the samples. `make web` puts wasm/ and model/ beside them.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, parse } from "node:path";

const www = import.meta.dirname;
const dist = join(www, "dist");
const page = readdirSync(www).filter((name) => /\.(html|css|js|svg)$/.test(name));
mkdirSync(dist, { recursive: true });
for (const name of page) cpSync(join(www, name), join(dist, name));

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
