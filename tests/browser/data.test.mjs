// data.test.mjs — the gallery's data in a real browser: files as people bring them, and results that outlive the visit.
//
// Needs Chromium (CHROMIUM, or the one on PATH) and www/node_modules; no build, no model.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

const www = join(import.meta.dirname, "../../www");
const packages = createRequire(join(www, "package.json"));
const { chromium } = packages("playwright-core");
const UPNG = packages("upng-js");

/** Modules as they are, with the one bare name that they import. */
const PAGE = `<!doctype html><script type="importmap">{ "imports": { "idb": "/node_modules/idb/build/index.js" } }</script>
<input type="file" id="folder" webkitdirectory><input type="file" id="files" multiple><div id="drop" style="height: 200px"></div>
<script type="module">
  import { Collection } from "/src/gallery/collection.js";
  import { Results } from "/src/gallery/results.js";
  import * as sources from "/src/gallery/sources.js";
  import { readTable } from "/src/gallery/prompts.js";
  import { Thumbnails } from "/src/gallery/thumbnails.js";
  import { StandIn, entry, until } from "/stand-in.mjs";
  const notices = [];
  Object.assign(window, { Collection, Results, sources, readTable, Thumbnails, StandIn, entry, until, notices });
  /** A gallery whose results are kept under this name. */
  window.gallery = async (options = {}) => {
    const scorer = new StandIn();
    const results = await Results.open({ name: "test", onNotice: (message) => notices.push(message), ...options });
    return { scorer, results, collection: new Collection({ scorer, results }) };
  };
  window.finished = (collection) => until(() => collection.progress.waiting === 0);
  window.listing = ({ entries, tables, notices }) => ({ paths: entries.map(({ path }) => path), sidecars: entries.map(({ sidecar }) => sidecar?.name ?? null), tables: tables.map(({ name }) => name), notices });
  const drop = document.getElementById("drop");
  drop.ondragover = (event) => event.preventDefault();
  drop.ondrop = (event) => { event.preventDefault(); window.dropped = sources.fromTransfer(event.dataTransfer); };
  window.isReady = true;
</script>`;

let server, browser, origin, elsewhere, folder;

before(async () => {
  server = createServer(serve).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
  elsewhere = `http://localhost:${server.address().port}`; // The same server, but another origin.
  const executablePath = process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim();
  browser = await chromium.launch({ executablePath, args: ["--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"] });
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
});

after(async () => {
  await browser?.close();
  server?.close();
  if (folder) rmSync(folder, { recursive: true });
});

// Results that outlive the visit.

claim("after a reload nothing is scored again; marks and typed prompts are there, too", async (page) => {
  const visit = () => page.evaluate(async () => {
    const { collection, scorer } = await gallery();
    const ids = collection.add(Array.from({ length: 200 }, (_, index) => entry(`image-${index}.png`)));
    await finished(collection);
    if (collection.progress.fromStore === 0) {
      collection.setPrompt(ids[3], "a dog");
      collection.setMark(ids.slice(0, 2), "keep");
      collection.setMark([ids[2]], 4);
      await finished(collection);
      await until(() => collection.get(ids[3]).status === "scored");
    }
    // The last note is written behind the result.
    await new Promise((resolve) => setTimeout(resolve, 0));
    const { fromStore } = collection.progress;
    const scores = collection.items.map(({ result }) => [result.perception.score, result.alignment?.score]);
    return { scored: scorer.seen.length, fromStore, scores, marks: collection.items.slice(0, 4).map(({ mark }) => mark), prompt: collection.get(ids[3]).prompt, source: collection.get(ids[3]).promptSource, notices };
  });
  const first = await visit();
  assert.deepEqual([first.scored, first.fromStore], [201, 0]);
  await open(page);
  const second = await visit();
  assert.deepEqual([second.scored, second.fromStore], [0, 200]);
  assert.deepEqual(second.scores, first.scores);
  assert.deepEqual([second.marks, second.prompt, second.source, second.notices], [["keep", "keep", 4, null], "a dog", "typed", []]);
});

claim("another model scores anew, the first one's results stay", async (page) => {
  const scored = (modelHash) => page.evaluate(async (modelHash) => {
    const { collection, scorer } = await gallery();
    scorer.info = { ...scorer.info, modelHash };
    collection.add([entry("a.png"), entry("b.png")]);
    await finished(collection);
    await new Promise((resolve) => setTimeout(resolve, 0));
    return scorer.seen.length;
  }, modelHash);
  assert.deepEqual([await scored("one"), await scored("two"), await scored("one"), await scored("two")], [2, 2, 0, 0]);
});

claim("the oldest results go when there are too many", async (page) => {
  const { count, oldest, newest } = await page.evaluate(async () => {
    const { results, scorer } = await gallery({ limit: 100 });
    const result = scorer.scoreOf("a.png", null);
    for (let index = 0; index < 130; index += 1) {
      await results.put(`key ${index}`, result, { dtype: "f32" });
      if (index === 50) await new Promise((resolve) => setTimeout(resolve, 5)); // Within a millisecond none is older.
    }
    return { count: await results.count(), oldest: await results.get("key 0"), newest: await results.get("key 129") };
  });
  assert.ok(count <= 100 && count > 80, `${count} are kept`);
  assert.equal(oldest, null);
  assert.equal(newest.key, "key 129");
});

for (const [what, prepare, said] of [
  ["that a newer page has written", () => new Promise((resolve) => { indexedDB.open("test", 99).onsuccess = ({ target }) => resolve(target.result.close()); }), /newer version of this page/],
  ["that another tab holds back", () => new Promise((resolve) => {
    indexedDB.open("test", 1).onsuccess = () => { indexedDB.deleteDatabase("test"); resolve(); };
  }), /another tab holds the browser's database back/],
  ["that the browser refuses", () => { IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError"); }; }, /this browser lets the page store nothing/],
  ["that is damaged", () => new Promise((resolve) => {
    const opening = indexedDB.open("test", 1); // As another program may have left it: without what we expect in it.
    opening.onupgradeneeded = () => opening.result.createObjectStore("other");
    opening.onsuccess = () => resolve(opening.result.close());
  }), /results cannot be kept/],
]) {
  claim(`a database ${what} is said, and results last until the page is closed`, async (page) => {
    await page.evaluate(prepare);
    const told = await page.evaluate(async () => {
      const { collection, scorer } = await gallery();
      collection.add([entry("a.png"), entry("b.png", "a.png")]);
      await finished(collection);
      return { seen: scorer.seen, fromStore: collection.progress.fromStore, notices };
    });
    assert.deepEqual([told.seen, told.fromStore], [["a.png"], 1]);
    assert.equal(told.notices.length, 1);
    assert.match(told.notices[0], said);
  });
}

claim("a full disk is said once, and no result is lost", async (page) => {
  const told = await page.evaluate(async () => {
    const { collection, scorer } = await gallery();
    const put = IDBObjectStore.prototype.put;
    let isFull = false;
    IDBObjectStore.prototype.put = function (...put_) {
      if (isFull) throw new DOMException("full", "QuotaExceededError");
      return put.apply(this, put_);
    };
    collection.add([entry("a.png")]);
    await finished(collection);
    isFull = true;
    collection.add([entry("b.png"), entry("c.png"), entry("d.png", "b.png"), entry("e.png", "c.png")]);
    await finished(collection);
    return { seen: scorer.seen, scored: collection.progress.scored, notices };
  });
  assert.deepEqual([told.seen, told.scored], [["a.png", "b.png", "c.png"], 5]);
  assert.equal(told.notices.length, 1);
  assert.match(told.notices[0], /storage is full: results from now on last until this page is closed/);
});

// Files as people bring them.

claim("a folder of 10,000 images is listed without reading one", async (page) => {
  const big = join(folder, "big");
  mkdirSync(big);
  for (let index = 0; index < 10_000; index += 1) writeFileSync(join(big, `image-${index}.png`), `${index}`);
  await page.evaluate(() => {
    window.reads = 0;
    for (const name of ["arrayBuffer", "text", "stream", "slice"]) {
      const read = Blob.prototype[name];
      Blob.prototype[name] = function (...of) { window.reads += 1; return read.apply(this, of); };
    }
  });
  await page.setInputFiles("#folder", big);
  const told = await page.evaluate(async () => {
    const begin = performance.now();
    const { entries, notices } = await sources.fromFiles(document.getElementById("folder").files);
    const collection = new Collection();
    collection.add(entries);
    const { total } = collection.progress;
    return { total, shown: collection.shown.length, paths: entries.slice(9, 12).map(({ path }) => path), reads, notices, ms: performance.now() - begin };
  });
  console.log(`10,000 files: listed and added in ${told.ms.toFixed(0)} ms`);
  assert.deepEqual([told.total, told.shown, told.reads, told.notices], [10_000, 10_000, 0, []]);
  assert.deepEqual(told.paths, ["big/image-9.png", "big/image-10.png", "big/image-11.png"]);
});

claim("a dropped folder is walked through: prompt files belong to their images, tables are found, other files are told", async (page) => {
  const dropped = join(folder, "dropped");
  const files = { "a.png": "a", "a.txt": "a fox", "sub/b.JPG": "b", "sub/b.json": '{"prompt": "a dog"}', "sub/b.txt": "stronger", "c.d.webp": "c", "c.d.json": '{"prompt": "a cat"}',
    "prompts.csv": "image,prompt\nb.JPG,from the table\n", "notes.txt": "no prompt", "x.svg": "<svg/>", "film.mp4": "", "._a.png": "litter", ".DS_Store": "litter" };
  mkdirSync(join(dropped, "sub"), { recursive: true });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dropped, name), content);
  await dropReally(page, [dropped]);
  const told = await page.evaluate(async () => {
    const listed = await dropped;
    const { collection, scorer } = await gallery();
    collection.add(listed.entries);
    await finished(collection);
    const before = collection.items.map(({ path, prompt, promptSource }) => [path, prompt, promptSource]);
    const report = collection.addPrompts(await readTable(listed.tables[0]));
    await finished(collection);
    return { ...listing(listed), before, report, seen: scorer.seen, prompts: scorer.prompts, after: collection.items.map(({ prompt, promptSource }) => [prompt, promptSource]) };
  });
  assert.deepEqual(told.paths, ["dropped/a.png", "dropped/c.d.webp", "dropped/sub/b.JPG"]);
  assert.deepEqual(told.sidecars, ["a.txt", "c.d.json", "b.txt"]);
  assert.deepEqual(told.tables, ["prompts.csv"]);
  assert.deepEqual(told.notices, ["3 files are no image that can be scored and passed over (1 .mp4, 1 .svg, 1 .txt); expected PNG, JPEG, WebP, GIF, BMP or TIFF"]);
  assert.deepEqual(told.before, [["dropped/a.png", "a fox", "sidecar"], ["dropped/c.d.webp", "a cat", "sidecar"], ["dropped/sub/b.JPG", "stronger", "sidecar"]]);
  assert.deepEqual(told.report, { applied: 1, notices: [] });
  assert.deepEqual(told.after[2], ["from the table", "csv"]);
  assert.deepEqual(told.seen, ["a", "c", "b", "b"]);
});

claim("single files are dropped with what is beside them; one without an ending is known by its content", async (page) => {
  const single = join(folder, "single");
  mkdirSync(single);
  const png = Buffer.from(UPNG.encode([new Uint8Array([255, 0, 0, 255]).buffer], 1, 1, 0));
  for (const [name, content] of Object.entries({ "b.png": png, "a.png": "no image at all", "b.txt": "a red dot", download: png, "readme.md": "text" })) writeFileSync(join(single, name), content);
  await dropReally(page, ["b.png", "a.png", "b.txt", "download", "readme.md"].map((name) => join(single, name)));
  const told = await page.evaluate(async () => listing(await dropped));
  assert.deepEqual(told.paths, ["b.png", "a.png", "download"], "in the order dropped; the scorer judges what is named .png");
  assert.deepEqual(told.sidecars, ["b.txt", null, null]);
  assert.deepEqual(told.notices, ["one file is no image that can be scored and passed over (1 .md); expected PNG, JPEG, WebP, GIF, BMP or TIFF"]);
});

claim("a picked folder is listed through its handle, and its files are opened at their turn", async (page) => {
  const told = await page.evaluate(async () => {
    const root = await navigator.storage.getDirectory();
    const write = async (folder, name, text) => {
      const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await writable.write(text);
      await writable.close();
    };
    const picked = await root.getDirectoryHandle("picked", { create: true });
    await write(picked, "2.png", "two");
    await write(picked, "10.png", "ten");
    await write(picked, "2.txt", "a fox");
    await write(await picked.getDirectoryHandle("sub", { create: true }), "1.png", "one");
    const found = [];
    const listed = await sources.fromFolder(picked, { onFound: (images) => found.push(images) });
    await picked.removeEntry("10.png");
    const { collection, scorer } = await gallery();
    collection.add(listed.entries);
    await finished(collection);
    return { ...listing(listed), found, seen: scorer.seen, errors: collection.items.map(({ error }) => error) };
  });
  assert.deepEqual(told.paths, ["picked/2.png", "picked/10.png", "picked/sub/1.png"]);
  assert.deepEqual([told.found, told.seen], [[1, 2, 3], ["two", "one"]]);
  assert.deepEqual(told.errors, [null, "10.png cannot be read any more: it was moved, changed or deleted since it was added; add it again", null]);
});

claim("images and addresses are pasted; other text is told", async (page) => {
  const told = await page.evaluate(async () => {
    const paste = async (fill) => {
      const transfer = new DataTransfer();
      fill(transfer);
      return listing(await sources.fromTransfer(transfer));
    };
    return {
      image: await paste(({ items }) => items.add(new File(["x"], "image.png", { type: "image/png" }))),
      next: await paste(({ items }) => items.add(new File(["y"], "image.png", { type: "image/png" }))),
      old: await paste(({ items }) => items.add(new File(["y"], "image.png", { type: "image/png", lastModified: 5 }))),
      addresses: await paste((transfer) => transfer.setData("text/plain", "https://a.example/x%20y.png\nhttps://a.example/")),
      text: await paste((transfer) => transfer.setData("text/plain", "a fox")),
      nothing: await paste(() => {}),
    };
  });
  assert.deepEqual([told.image.paths, told.next.paths, told.old.paths], [["pasted-1.png"], ["pasted-2.png"], ["image.png"]]);
  assert.deepEqual(told.addresses.paths, ["https://a.example/x%20y.png", "https://a.example/"]);
  assert.match(told.text.notices[0], /expected the address of an image.*line 1 \("a fox"\)/);
  assert.match(told.nothing.notices[0], /neither a file nor the address of an image/);
});

claim("an image from the network is fetched at its turn; one that is refused, missing or cut has its own sentence", async (page) => {
  const told = await page.evaluate(async ({ origin, elsewhere }) => {
    const { entries } = sources.fromUrls(["/image.png", `${elsewhere}/image.png`, "/missing.png", "/cut.png", `${elsewhere}/shared.png`].join("\n"), origin);
    const { collection, scorer } = await gallery();
    collection.add(entries);
    await finished(collection);
    return { names: collection.items.map(({ name }) => name), errors: collection.items.map(({ error }) => error), seen: scorer.seen };
  }, { origin, elsewhere });
  assert.deepEqual(told.names, ["image.png", "image.png", "missing.png", "cut.png", "shared.png"]);
  assert.deepEqual([told.errors[0], told.errors[4], told.seen], [null, null, ["/image.png", "/shared.png"]]);
  assert.match(told.errors[1], /the network is down, or localhost:\d+ does not allow other sites to read its files \(CORS\); check the connection, or download the file and choose it from your disk/);
  assert.match(told.errors[2], /127\.0\.0\.1:\d+\/missing\.png: the server answered 404 Not Found; check the address/);
  assert.match(told.errors[3], /cut\.png: the connection was cut/);
});

// Thumbnails.

claim("thumbnails stay within their budget and keep the image's shape; what cannot be shown is null", async (page) => {
  const wide = Buffer.from(UPNG.encode([new Uint8Array(600 * 300 * 4).fill(200).buffer], 600, 300, 0)).toString("base64");
  const told = await page.evaluate(async (wide) => {
    const bytes = Uint8Array.from(atob(wide), (char) => char.charCodeAt(0));
    const huge = bytes.slice(); // Its header says 20,000 × 20,000.
    for (const at of [16, 20]) new DataView(huge.buffer).setUint32(at, 20_000);
    const collection = new Collection();
    const of = (name, content) => ({ name, path: name, blob: async () => new Blob([content]) });
    const ids = collection.add([...Array.from({ length: 20 }, (_, index) => of(`${index}.png`, bytes)), of("text.png", "text"), of("huge.png", huge)]);
    const thumbnails = new Thumbnails({ collection, side_px: 100, budget_bytes: 100 * 50 * 4 * 8 });
    const made = await Promise.all(ids.map((id) => thumbnails.get(id).then((bitmap) => bitmap && { width: bitmap.width, height: bitmap.height })));
    const aborted = new AbortController();
    aborted.abort();
    const refused = await thumbnails.get(ids[0], { signal: aborted.signal }).catch(({ name }) => name);
    const last = await thumbnails.get(ids[19]);
    return { made, bytes: thumbnails.bytes, refused, isLastThere: last.width };
  }, wide);
  assert.deepEqual(told.made.slice(0, 20), Array.from({ length: 20 }, () => ({ width: 100, height: 50 })));
  assert.deepEqual(told.made.slice(20), [null, null]);
  assert.ok(told.bytes <= 100 * 50 * 4 * 8, `${told.bytes} bytes are kept`);
  assert.deepEqual([told.refused, told.isLastThere], ["AbortError", 100]);
});

/** A test on a page of its own, which must stay without errors. */
function claim(name, body) {
  test(name, { timeout: 120_000 }, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const seen = [];
    page.on("pageerror", (error) => seen.push(error.message));
    try {
      await open(page);
      await body(page);
    } finally {
      await context.close();
    }
    assert.deepEqual(seen, []);
  });
}

async function open(page) {
  await page.goto(origin);
  await page.waitForFunction(() => window.isReady);
}

/** Files and folders dragged in from the desktop. */
async function dropReally(page, files) {
  const session = await page.context().newCDPSession(page);
  const { x, y } = await page.locator("#drop").boundingBox();
  for (const type of ["dragEnter", "dragOver", "drop"]) {
    await session.send("Input.dispatchDragEvent", { type, x: x + 10, y: y + 10, data: { items: [], files, dragOperationsMask: 1 } });
  }
  await page.waitForFunction(() => window.dropped !== undefined);
}

function serve(request, response) {
  const path = new URL(request.url, origin).pathname;
  if (path === "/") return response.setHeader("content-type", "text/html").end(PAGE);
  if (path === "/stand-in.mjs") return response.setHeader("content-type", "text/javascript").end(readFileSync(join(import.meta.dirname, "stand-in.mjs")));
  if (/^\/(src|node_modules\/idb)\/[\w/.-]+\.js$/.test(path)) return response.setHeader("content-type", "text/javascript").end(readFileSync(join(www, path)));
  if (path === "/shared.png") return response.setHeader("access-control-allow-origin", "*").end(path);
  if (path === "/image.png") return response.end(path);
  if (path === "/cut.png") {
    response.writeHead(200, { "content-length": 1000 });
    response.write("begun");
    return setTimeout(() => response.destroy(), 50);
  }
  return response.writeHead(404).end();
}
