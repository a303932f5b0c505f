// package.test.mjs — the package as npm packs it: its files, its entries on a server, and what importing one function costs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { app, fromApp, install, target } from "./installed.mjs";
import { www } from "./served.mjs";

let paths;
before(() => {
  paths = install();
});

test("the package is whole, and has nothing of the page", async () => {
  for (const path of ["README.md", "dist/LICENSE-MIT", "dist/LICENSE-APACHE", "dist/tsp-mgs.licenses.md", "dist/tsp-mgs.js", "dist/score.js", "dist/gallery.js", "dist/published.js", "dist/define.js", "dist/cdn.js",
    "dist/tsp-mgs-worker.js", "dist/types/index.d.ts", "dist/types/jsx.d.ts", "dist/wasm/cpu/tsp_mgs_web_bg.wasm", "dist/wasm/cpu-relaxed/tsp_mgs_web_bg.wasm", "dist/wasm/webgpu/tsp_mgs_web.js"]) {
    assert.ok(paths.includes(path), `${path} is in the package`);
  }
  assert.deepEqual(paths.filter((path) => /model\.json|samples|page\.js|service-worker|\.html$/.test(path)), []);
  const { publint } = await import(pathToFileURL(createRequire(join(www, "package.json")).resolve("publint")));
  assert.deepEqual((await publint({ pkgDir: target, strict: true })).messages, []);
});

test("a server imports every entry, registers nothing, and hears why it cannot score", () => {
  const code = `import { createScorer, clearModelCache, isModelCached, ScoreError } from "tsp-mgs";
    import { TspScore } from "tsp-mgs/score";
    import { TspGallery } from "tsp-mgs/gallery";
    import { TspPublishedGallery } from "tsp-mgs/published";
    import * as define from "tsp-mgs/define";
    const error = await createScorer({ model: "https://a.example/model.json" }).catch((error) => error);
    new TspScore();
    new TspGallery();
    console.log(JSON.stringify([error instanceof ScoreError, error.code, error.message, define.TspScore === TspScore, typeof TspPublishedGallery, typeof globalThis.document]));
    await clearModelCache();`;
  const said = execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: app, encoding: "utf8", stdio: "pipe" });
  assert.deepEqual(JSON.parse(said), [true, "device", "there are no workers here: a scorer needs a browser; on a server import it, and create it in the page", true, "function", "undefined"]);
});

test("<tsp-score> with a result is rendered on a server", () => {
  const row = { path: "cat.jpg", prompt: "a cat", notes: ["demo weights"], perception: { score: 4.321, q_image: 4 }, alignment: null };
  const code = `import { html, render } from "@lit-labs/ssr";
    import { collectResult } from "@lit-labs/ssr/lib/render-result.js";
    import { TspScore } from "tsp-mgs/score";
    customElements.define("tsp-score", TspScore);
    console.log(await collectResult(render(html\`<tsp-score src="cat.jpg" result=\${${JSON.stringify(JSON.stringify(row))}}></tsp-score>\`)));`;
  const page = execFileSync(process.execPath, ["--input-type=module", "-e", code], { cwd: app, encoding: "utf8", stdio: "pipe" });
  assert.match(page, /<tsp-score.*<template.*shadowroot.*<img part="image" src="cat\.jpg"/s);
  assert.match(page.replace(/<!--.*?-->/g, ""), /part="value">4\.32<.*part="value">–<.*Demo weights\./s);
});

test("importing one function costs that function", async () => {
  const { build } = await fromApp("esbuild/lib/main.js");
  const bundled = async (contents) => {
    const { outputFiles, metafile } = await build({ stdin: { contents, resolveDir: app }, bundle: true, minify: true, format: "esm", write: false, metafile: true });
    const parts = Object.entries(Object.values(metafile.outputs)[0].inputs).filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([path]) => path);
    return { bytes: outputFiles[0].contents.length, parts };
  };
  const one = await bundled('import { clearModelCache } from "tsp-mgs"; clearModelCache();');
  assert.ok(one.bytes < 300, `${one.bytes} bytes: ${one.parts}`);
  const scorer = await bundled('import { createScorer } from "tsp-mgs"; createScorer();');
  assert.ok(scorer.bytes < 20_000, `${scorer.bytes} bytes`);
  assert.deepEqual(scorer.parts.filter((path) => /lit|idb|gallery/.test(path)), []);
  const element = await bundled('import { TspScore } from "tsp-mgs/score"; customElements.define("my-score", TspScore);');
  assert.deepEqual(element.parts.filter((path) => /idb|gallery/.test(path)), []);
  assert.ok(element.bytes < 40_000, `${element.bytes} bytes`);
  const both = await bundled('import "tsp-mgs/define"; import { LitElement } from "lit"; globalThis.lit = LitElement;');
  assert.equal(both.parts.filter((path) => path.endsWith("lit-html/lit-html.js")).length, 1, "lit is there once");
});

test("custom-elements.json has the attributes, events and slots that the elements have", async () => {
  const manifest = JSON.parse(readFileSync(join(target, "dist/custom-elements.json"), "utf8"));
  const said = Object.fromEntries(manifest.modules.map(({ path, declarations: [declaration] }) => [declaration.tagName, { path, ...declaration }]));
  assert.deepEqual(Object.keys(said).sort(), ["tsp-gallery", "tsp-score"]);
  const observed = JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", `import { TspGallery, TspScore } from "tsp-mgs/define";
    console.log(JSON.stringify({ "tsp-gallery": TspGallery.observedAttributes, "tsp-score": TspScore.observedAttributes }));`], { cwd: app, encoding: "utf8", stdio: "pipe" }));
  const names = (parts) => parts.map(({ name }) => name).sort();
  for (const [tag, { path, attributes, events, cssParts }] of Object.entries(said)) {
    assert.deepEqual(names(attributes), observed[tag].toSorted(), tag);
    assert.ok(paths.includes(path), path);
    const chunk = readFileSync(join(target, "dist", readFileSync(join(target, path), "utf8").match(/chunk-tsp-\w+\.js/)[0]), "utf8");
    for (const { name } of events) assert.ok(chunk.includes(name), `${tag} sends ${name}`);
    for (const { name } of cssParts) assert.match(chunk, new RegExp(`part=\\\\?["'\`][^"'\`]*\\b${name}\\b|part="score \\$\\{`), `${tag} has the part ${name}`);
  }
});
