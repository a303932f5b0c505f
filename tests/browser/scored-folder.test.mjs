// scored-folder.test.mjs — the gallery's data with the real engine: a folder is scored as the command line scores it, once.
//
// Needs what served.mjs needs.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { assertSame, dist, needBuilt, openChromium, PATIENCE_MS, Served, trainer, www } from "./served.mjs";

const PAGE = `<!doctype html><link rel="icon" href="icon.svg"><script type="importmap">{ "imports": { "idb": "/node_modules/idb/build/index.js" } }</script>
<input type="file" id="folder" webkitdirectory>
<script type="module">
  import { createScorer } from "/tsp-mgs.js";
  import { Collection } from "/src/gallery/collection.js";
  import { Results } from "/src/gallery/results.js";
  import { fromFiles } from "/src/gallery/sources.js";
  window.score = async () => {
    const notices = [];
    const results = await Results.open({ onNotice: (message) => notices.push(message) });
    const collection = new Collection({ results });
    const listed = await fromFiles(document.getElementById("folder").files);
    collection.add(listed.entries);
    const scorer = await createScorer({ device: "cpu", crops: 1 });
    let scored = 0;
    scorer.addEventListener("scored", () => { scored += 1; });
    collection.attach(scorer);
    await new Promise((resolve) => collection.addEventListener("progress", () => collection.progress.waiting === 0 && resolve()));
    await new Promise((resolve) => setTimeout(resolve, 0)); // The last result is written behind the event.
    const { modelHash, preprocessing, dtype } = scorer.info;
    const csv = collection.exportCsv();
    collection.close();
    scorer.close();
    return { items: collection.items, scored, notices: [...notices, ...listed.notices], info: { modelHash, preprocessing, dtype }, csv };
  };
</script>`;

let served, browser, folder;

before(async () => {
  needBuilt();
  served = await Served.open();
  served.answer = (request, response) => {
    const path = new URL(request.url, served.origin).pathname;
    if (path === "/folder.html") return response.setHeader("content-type", "text/html").end(PAGE);
    if (!/^\/(src|node_modules\/idb)\/[\w/.-]+\.js$/.test(path)) return false;
    return response.setHeader("content-type", "text/javascript").end(readFileSync(join(www, path)));
  };
  browser = await openChromium();
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
});

after(async () => {
  await browser?.close();
  served?.close();
  if (folder) rmSync(folder, { recursive: true });
});

test("a folder is scored as the command line scores it, prompts included, and on the next visit not at all", { timeout: 2 * PATIENCE_MS }, async () => {
  const images = join(folder, "images");
  mkdirSync(join(images, "sub"), { recursive: true });
  const copy = (file, to) => cpSync(join(dist, "samples", file), join(images, to));
  copy("cat.jpg", "cat.jpg");
  writeFileSync(join(images, "cat.txt"), "\uFEFFclose-up photo of a ginger tabby cat\n");
  copy("rocket.png", "rocket.png"); // Its prompt is in its metadata.
  copy("coffee.jpg", "sub/no prompt.jpg");
  copy("rocket.png", "sub/beside.png");
  writeFileSync(join(images, "sub/beside.txt"), "stronger than the image's own prompt");
  writeFileSync(join(images, "text.png"), "This is no picture.\n");

  const said = spawnSync(trainer(), ["score", "--format", "jsonl", "--model", join(dist, "model"), "--crops", "1", images], { encoding: "utf8" });
  assert.match(said.stderr, /1 of 5 images could not be scored/);
  const lines = said.stdout.trim().split("\n").map((line) => JSON.parse(line));
  const expected = new Map(lines.map(({ path, ...result }) => [path.slice(folder.length + 1), result]));

  const context = await browser.newContext();
  try {
    const visit = async () => {
      const page = await context.newPage();
      await page.goto(`${served.origin}/folder.html`);
      await page.setInputFiles("#folder", images);
      const told = await page.evaluate(() => window.score());
      await page.close();
      return told;
    };
    const first = await visit();
    assert.deepEqual(first.notices, []);
    assert.equal(first.items.length, expected.size);
    for (const { path, status, error, result, prompt, promptSource, provenance } of first.items) {
      const wanted = expected.get(path);
      if (wanted.error) {
        assert.equal(status, "failed", path);
        assert.ok(error, path);
        continue;
      }
      assert.equal(status, "scored", `${path}: ${error}`);
      assert.deepEqual([prompt, promptSource], [wanted.prompt, wanted.prompt_source], path);
      // The engine is handed a sidecar's prompt as an argument.
      assertSame({ ...result, promptSource }, wanted);
      assert.deepEqual(provenance, { ...first.info, device: result.device });
    }
    assert.match(first.csv, new RegExp(`,${first.info.modelHash},`));
    assert.equal(first.scored, 4);

    const second = await visit();
    assert.equal(second.scored, 0);
    assert.deepEqual(second.items.map(({ result, prompt, promptSource }) => [result, prompt, promptSource]), first.items.map(({ result, prompt, promptSource }) => [result, prompt, promptSource]));
    assert.equal(second.items.filter(({ fromStore }) => fromStore).length, 4);
  } finally {
    await context.close();
  }
});
