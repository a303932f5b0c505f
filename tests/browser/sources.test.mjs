// sources.test.mjs — files as people bring them, in a real browser: dropped, picked, pasted, and by address.
//
// Needs what data.mjs needs.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { claim } from "./data.mjs";
import { dropFromDesktop, www } from "./served.mjs";

const UPNG = createRequire(join(www, "package.json"))("upng-js");

let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

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
  await drop(page, [dropped]);
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
  assert.deepEqual(told.notices, ["3 files were skipped (1 .mp4, 1 .svg, 1 .txt); expected PNG, JPEG, WebP, GIF, BMP or TIFF, or AVIF, HEIC or JPEG XL if the browser can decode them"]);
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
  await drop(page, ["b.png", "a.png", "b.txt", "download", "readme.md"].map((name) => join(single, name)));
  const told = await page.evaluate(async () => listing(await dropped));
  assert.deepEqual(told.paths, ["b.png", "a.png", "download"], "in the order dropped; the scorer judges what is named .png");
  assert.deepEqual(told.sidecars, ["b.txt", null, null]);
  assert.deepEqual(told.notices, ["one file was skipped (1 .md); expected PNG, JPEG, WebP, GIF, BMP or TIFF, or AVIF, HEIC or JPEG XL if the browser can decode them"]);
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
  assert.deepEqual(told.errors, [null, "10.png can no longer be read: it was moved, changed or deleted since it was added; add it again", null]);
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
  assert.match(told.nothing.notices[0], /neither a file nor an address to add/);
});

claim("an image from the network is fetched at its turn; one that is refused, missing or cut has its own sentence", async (page, { origin, elsewhere }) => {
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

async function drop(page, files) {
  await dropFromDesktop(page, "#drop", files);
  await page.waitForFunction(() => window.dropped !== undefined);
}
