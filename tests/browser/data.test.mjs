// data.test.mjs — the gallery's data in a real browser: results that outlive the visit, and thumbnails.
//
// Needs what data.mjs needs.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { claim, open } from "./data.mjs";
import { www } from "./served.mjs";

const UPNG = createRequire(join(www, "package.json"))("upng-js");

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

claim("a database from which the oldest cannot go is said, and no result is lost", async (page) => {
  const told = await page.evaluate(async () => {
    const { collection, scorer } = await gallery({ limit: 2 });
    IDBIndex.prototype.openCursor = () => { throw new DOMException("broken", "UnknownError"); };
    collection.add(["a", "b", "c", "d"].map((name) => entry(`${name}.png`)));
    await finished(collection);
    await until(() => notices.length > 0);
    return { scored: collection.progress.scored, seen: scorer.seen.length, notices };
  });
  assert.deepEqual([told.scored, told.seen, told.notices], [4, 4, ["results cannot be kept for the next visit: broken"]]);
});

for (const [what, prepare, said] of [
  ["that a newer page has written", () => new Promise((resolve) => { indexedDB.open("test", 99).onsuccess = ({ target }) => resolve(target.result.close()); }), /newer version of this page/],
  ["that another tab holds back", () => new Promise((resolve) => {
    indexedDB.open("test", 1).onsuccess = () => { indexedDB.deleteDatabase("test"); resolve(); };
  }), /another tab blocks the browser's database/],
  ["that the browser refuses", () => { IDBFactory.prototype.open = () => { throw new DOMException("denied", "SecurityError"); }; }, /this browser does not let the page store data/],
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
    await until(() => notices.length > 0);
    return { seen: scorer.seen, scored: collection.progress.scored, notices };
  });
  assert.deepEqual([told.seen, told.scored], [["a.png", "b.png", "c.png"], 5]);
  assert.equal(told.notices.length, 1);
  assert.match(told.notices[0], /storage is full: new results are lost when this page is closed/);
});

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
