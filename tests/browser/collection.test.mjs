// collection.test.mjs — the collection scores each image once and the most wanted one next, whatever happens meanwhile.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Calls } from "../../www/src/engine/calls.js";
import { Collection } from "../../www/src/gallery/collection.js";
import { done, entries, gallery, heard, names, pick, quiet } from "./collection.mjs";
import { entry, StandIn, until } from "./stand-in.mjs";

test("every image is scored once, one at a time, in the order added", async () => {
  const { collection, scorer } = gallery();
  collection.add(entries(50));
  await done(collection);
  assert.deepEqual(scorer.seen, names(50));
  assert.equal(scorer.mostAtOnce, 1);
  const { scored, failed, waiting, total, secondsLeft, fromStore } = collection.progress;
  assert.deepEqual({ scored, failed, waiting, total, secondsLeft, fromStore }, { scored: 50, failed: 0, waiting: 0, total: 50, secondsLeft: 0, fromStore: 0 });
  const item = collection.items[7];
  assert.deepEqual([item.width, item.height, item.elapsedMs, item.result.perception.score], [64, 48, 5, scorer.scoreOf("image-7.png", null).perception.score]);
});

test("an edited prompt goes before visible images, those before the view's order, that before the rest", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  const ids = collection.add(entries(8));
  await until(() => scorer.seen.length === 1);
  collection.view = { search: "-2 -4 -6".split(" ")[0], sort: "name", descending: true };
  collection.view = { search: "", sort: "name", descending: true };
  collection.setVisible([ids[2], ids[3]]);
  collection.setPrompt(ids[4], "a dog");
  collection.setPrompt(ids[5], "a cat");
  scorer.release();
  await done(collection);
  assert.deepEqual(scorer.seen, [0, 5, 4, 3, 2, 7, 6, 1].map((index) => `image-${index}.png`));
  assert.deepEqual(scorer.prompts.slice(1, 4), ["a cat", "a dog", null]);
});

test("a call of the scorer comes before the gallery's next image, and after an edited prompt", async () => {
  const scorer = new StandIn();
  const calls = new Calls();
  scorer.queue.add(calls);
  const collection = new Collection({ scorer });
  scorer.hold();
  const ids = collection.add(entries(3));
  await until(() => scorer.seen.length === 1);
  const called = calls.add(new Blob(["called"]), "a call", {}, () => scorer.queue.wake());
  collection.setPrompt(ids[2], "a dog");
  scorer.release();
  await done(collection);
  assert.deepEqual(scorer.seen, ["image-0.png", "image-2.png", "called", "image-1.png"]);
  assert.equal((await called).prompt, "a call");
});

test("what the view hides is scored last", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  collection.add(entries(6));
  await until(() => scorer.seen.length === 1);
  collection.view = { search: "image-5" };
  scorer.release();
  await done(collection);
  assert.deepEqual(scorer.seen.slice(0, 3), ["image-0.png", "image-5.png", "image-1.png"]);
});

test("a new prompt aborts the score in work, and its result counts for nothing", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  const [id] = collection.add(entries(2));
  await until(() => scorer.seen.length === 1);
  collection.setPrompt(id, "a dog");
  assert.equal(collection.get(id).status, "waiting");
  scorer.release();
  await done(collection);
  assert.deepEqual(scorer.seen, ["image-0.png", "image-0.png", "image-1.png"]);
  assert.equal(scorer.aborted, 1);
  assert.deepEqual(pick(collection.get(id), ["prompt", "promptSource", "status"]), { prompt: "a dog", promptSource: "typed", status: "scored" });
  assert.equal(collection.get(id).result.alignment.score, scorer.scoreOf("image-0.png", "a dog").alignment.score);
});

test("pause finishes the image in work and starts no other, but an edited prompt is scored", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  const ids = collection.add(entries(3));
  await until(() => scorer.seen.length === 1);
  collection.pause();
  scorer.release();
  await until(() => collection.progress.scored === 1);
  await quiet(collection);
  assert.equal(scorer.seen.length, 1);
  assert.ok(collection.progress.isPaused);
  collection.setPrompt(ids[2], "a dog");
  await until(() => collection.progress.scored === 2);
  await quiet(collection);
  assert.deepEqual(scorer.seen, ["image-0.png", "image-2.png"]);
  collection.resume();
  await done(collection);
  assert.deepEqual(scorer.seen, ["image-0.png", "image-2.png", "image-1.png"]);
});

test("cancel holds what waits, images added later are scored, and resume takes all up", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  const ids = collection.add(entries(3));
  await until(() => scorer.seen.length === 1);
  collection.cancel();
  assert.equal(scorer.aborted, 1);
  assert.deepEqual([collection.progress.held, collection.progress.waiting, collection.get(ids[0]).isHeld], [3, 0, true]);
  scorer.release();
  collection.add([entry("later.png")]);
  await until(() => collection.progress.scored === 1);
  await quiet(collection);
  assert.deepEqual(scorer.seen, ["image-0.png", "later.png"]);
  collection.resume();
  await done(collection);
  assert.equal(collection.progress.scored, 4);
});

test("a failed image says its sentence, the rest goes on, and retry scores it", async () => {
  const { collection, scorer } = gallery();
  scorer.failing.set("image-1.png", Object.assign(new Error("no image format that is known"), { code: "image" }));
  const ids = collection.add(entries(3));
  await done(collection);
  assert.deepEqual(pick(collection.get(ids[1]), ["status", "error", "result"]), { status: "failed", error: "no image format that is known", result: null });
  assert.equal(collection.progress.scored, 2);
  scorer.failing.clear();
  collection.retry(ids);
  await done(collection);
  assert.deepEqual(pick(collection.get(ids[1]), ["status", "error"]), { status: "scored", error: null });
  assert.equal(scorer.seen.length, 4);
});

test("a file that has gone says so", async () => {
  const { collection } = gallery();
  const [id] = collection.add([{ ...entry("gone.png"), blob: async () => { throw new DOMException("a system's text", "NotFoundError"); } }]);
  await done(collection);
  assert.match(collection.get(id).error, /gone\.png can no longer be read.*add it again/);
});

test("three device failures in a row stop the queue, and no image is lost", async () => {
  const { collection, scorer } = gallery();
  for (const name of names(5)) scorer.failing.set(name, Object.assign(new Error("the graphics card is gone"), { code: "device" }));
  const notices = heard(collection, "notice");
  collection.add(entries(5));
  await until(() => collection.progress.isPaused);
  await quiet(collection);
  assert.equal(scorer.seen.length, 3);
  assert.match(notices[0].message, /the graphics card is gone/);
  scorer.failing.clear();
  collection.resume();
  collection.retry(collection.items.map(({ id }) => id));
  await done(collection);
  assert.equal(collection.progress.scored, 5);
});

test("when the scorer says that nothing can score any more, the images wait for its next start", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  collection.add(entries(3));
  await until(() => scorer.seen.length === 1);
  for (const name of names(3)) scorer.failing.set(name, Object.assign(new Error("the scorer could not start"), { code: "device" }));
  scorer.tell("failed");
  scorer.release();
  await quiet(collection);
  assert.deepEqual([collection.progress.waiting, collection.progress.failed, scorer.seen.length], [3, 0, 1]);
  scorer.failing.clear();
  scorer.tell("ready");
  await done(collection);
  assert.equal(collection.progress.scored, 3);
});

test("images that do not come keep no other waiting, be it a file, an edited prompt or another server's", async () => {
  const { collection, scorer } = gallery();
  let asked = 0;
  const remote = (server, name, blob) => ({ ...entry(name), url: `https://${server}/${name}`, server, blob });
  const never = Array.from({ length: 20 }, (_, index) => remote("a.example", `never-${index}.png`, () => {
    asked += 1;
    return new Promise(() => {});
  }));
  const [edited] = collection.add([entry("edited.png")]);
  await quiet(collection);
  collection.add([...never, remote("b.example", "far.png", async () => new Blob(["far.png"])), entry("other.png")]);
  collection.setPrompt(edited, "a dog");
  await until(() => collection.progress.scored === 3 && collection.get(edited).prompt === "a dog");
  assert.deepEqual(scorer.seen.toSorted(), ["edited.png", "edited.png", "far.png", "other.png"]);
  assert.equal(asked, 4, "no more of one server at once");
});

test("images from the network are scored in the order added, each fetched once and few in advance", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  const fetched = [];
  const entries = Array.from({ length: 30 }, (_, index) => ({
    ...entry(`${index}.png`), url: `https://a.example/${index}.png`, server: "a.example",
    blob: async () => {
      fetched.push(`${index}.png`);
      return new Blob([`${index}.png`]);
    },
  }));
  collection.add(entries);
  await until(() => scorer.seen.length === 1 && fetched.length === 5);
  await quiet(collection);
  assert.equal(fetched.length, 5, "the one in work and four in advance");
  scorer.release();
  await until(() => collection.progress.scored === 30);
  const names = entries.map(({ name }) => name);
  assert.deepEqual([scorer.seen, fetched], [names, names]);
});

test("the scorer may come later, and go while it works", async () => {
  const collection = new Collection();
  collection.add(entries(3));
  await quiet(collection);
  assert.equal(collection.progress.waiting, 3);
  const first = new StandIn();
  first.hold();
  collection.attach(first);
  await until(() => first.seen.length === 1);
  collection.detach();
  assert.equal(collection.progress.waiting, 3);
  const second = new StandIn();
  collection.attach(second);
  await done(collection);
  assert.deepEqual(second.seen, names(3));
});

test("other crops score everything again, and a result that was under way counts for nothing", async () => {
  const { collection, scorer } = gallery();
  const ids = collection.add(entries(3));
  await done(collection);
  scorer.hold();
  collection.setPrompt(ids[0], "a dog");
  await until(() => scorer.seen.length === 4);
  scorer.configure({ crops: 1 });
  await until(() => collection.get(ids[2]).status === "waiting");
  assert.equal(collection.get(ids[2]).result.crops, 15, "the old result stays to be looked at");
  scorer.release();
  await done(collection);
  assert.deepEqual(collection.items.map(({ result }) => result.crops), [1, 1, 1]);
  assert.equal(collection.get(ids[0]).prompt, "a dog");
});

test("a removed image is scored no more, even if it is in work", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  const ids = collection.add(entries(3));
  await until(() => scorer.seen.length === 1);
  const changes = heard(collection, "change");
  collection.remove([ids[0], ids[1]]);
  scorer.release();
  await done(collection);
  await until(() => changes.flatMap((change) => change.ids).includes(ids[1]));
  assert.deepEqual(scorer.seen, ["image-0.png", "image-2.png"]);
  assert.deepEqual([collection.get(ids[0]), collection.shown], [undefined, [ids[2]]]);
});

test("a file that is there already is not taken twice, nor one that shows so only once it is opened", async () => {
  const { collection, scorer } = gallery();
  const file = (size, lastModified = 5) => new File(["x".repeat(size)], "b.png", { lastModified });
  const atHand = (file) => ({ ...entry("a/b.png"), file, blob: async () => file });
  const notices = heard(collection, "notice");
  assert.equal(collection.add([atHand(file(3)), atHand(file(3))]).length, 1);
  assert.equal(collection.add([atHand(file(3)), atHand(file(4)), atHand(file(3, 6))]).length, 2);
  await done(collection);
  const [unopened] = collection.add([{ ...entry("a/b.png"), blob: async () => file(4) }]);
  await done(collection);
  await until(() => notices.length === 1);
  assert.deepEqual([collection.get(unopened), notices[0].message, scorer.seen.length], [undefined, "one image was already in the list and not added again", 3]);
});

test("changes of one frame come as one event", async () => {
  const { collection } = gallery();
  const changes = heard(collection, "change");
  const ids = collection.add(entries(1000));
  collection.setMark(ids.slice(0, 500), "keep");
  await until(() => changes.length > 0);
  assert.deepEqual(new Set(changes[0].ids), new Set(ids));
  collection.close();
});

test("time left follows the median of the last images", async () => {
  const { collection, scorer } = gallery();
  scorer.hold();
  collection.add(entries(20));
  assert.deepEqual([collection.progress.msPerImage, collection.progress.secondsLeft], [null, null]);
  scorer.release(4);
  await until(() => collection.progress.scored === 4);
  const { msPerImage, secondsLeft, waiting } = collection.progress;
  assert.equal(waiting, 16);
  assert.ok(msPerImage > 0);
  assert.equal(secondsLeft, (msPerImage * 16) / 1000);
  collection.close();
});

test("10,000 images with a scorer that answers at once stay quick and complete", async () => {
  const { collection, scorer } = gallery();
  collection.view = { sort: "mean", descending: true };
  collection.add(entries(10_000));
  await done(collection, 60_000);
  assert.equal(new Set(scorer.seen).size, 10_000);
  assert.equal(scorer.seen.length, 10_000);
});
