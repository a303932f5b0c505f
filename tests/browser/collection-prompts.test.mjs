// collection-prompts.test.mjs — where the collection has prompts from, and the results and marks that it knows from earlier.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Collection } from "../../www/src/gallery/collection.js";
import { Results } from "../../www/src/gallery/results.js";
import { done, entries, gallery, pick, quiet } from "./collection.mjs";
import { entry, StandIn, until } from "./stand-in.mjs";

test("a table's prompts reach images that are there and those that come, but not over typed ones", async () => {
  const { collection, scorer } = gallery();
  const [a, b] = collection.add([entry("run/a.png"), entry("run/b.png")]);
  collection.setPrompt(b, "typed");
  const rows = ["a", "b", "c"].map((name, index) => ({ line: index + 2, image: `${name}.png`, prompt: `from the table ${name}` }));
  const report = collection.addPrompts({ name: "prompts.csv", rows, notices: [] });
  assert.deepEqual(report, { applied: 2, notices: ["prompts.csv: no image fits line 4 (c.png)"] });
  const [c] = collection.add([entry("run/c.png")]);
  await done(collection);
  assert.deepEqual([a, b, c].map((id) => collection.get(id).prompt), ["from the table a", "typed", "from the table c"]);
  assert.deepEqual([a, b, c].map((id) => collection.get(id).promptSource), ["csv", "typed", "csv"]);
  collection.setPrompt(b, null);
  await done(collection);
  assert.equal(collection.get(b).prompt, "from the table b");
  assert.equal(scorer.prompts.at(-1), "from the table b");
});

test("sidecars are read before their images' turn, so that they can be searched; one that cannot be read fails its image", async () => {
  const collection = new Collection();
  const beside = (text) => ({ sidecar: { name: "x.txt", blob: async () => new Blob([text]) } });
  const [a, b, c] = collection.add([{ ...entry("a.png"), ...beside("a red fox\n") }, { ...entry("b.png"), ...beside(new Uint8Array([0xc3, 0x28])) },
    { ...entry("c.png"), ...beside(" ") }]);
  await until(() => collection.get(a).prompt !== null);
  collection.view = { search: "FOX red" };
  assert.deepEqual(collection.shown, [a]);
  const scorer = new StandIn();
  scorer.inImage.set("c.png", "as generated");
  collection.attach(scorer);
  await done(collection);
  assert.deepEqual(pick(collection.get(a), ["prompt", "promptSource"]), { prompt: "a red fox", promptSource: "sidecar" });
  assert.match(collection.get(b).error, /x\.txt cannot be read: it is not UTF-8/);
  assert.equal(scorer.prompts.at(-1), "", "a blank file says that there is no prompt, as the command line has it");
  collection.setPrompt(b, "typed instead");
  await done(collection);
  assert.equal(collection.get(b).status, "scored");
});

test("results in memory spare the second score of the same content, prompt, model and crops", async () => {
  const results = new Results(100, () => {});
  const scorer = new StandIn();
  const collection = new Collection({ scorer, results });
  collection.add(entries(3));
  await done(collection);
  const again = collection.add([entry("other name.png", "image-1.png")]);
  await done(collection);
  assert.equal(scorer.seen.length, 3);
  assert.deepEqual(pick(collection.get(again[0]), ["status", "fromStore"]), { status: "scored", fromStore: true });
  assert.deepEqual(collection.get(again[0]).result, collection.items[1].result);
  collection.setPrompt(again[0], "a dog");
  await done(collection);
  assert.equal(scorer.seen.length, 4);
  scorer.configure({ crops: 1 });
  await done(collection);
  assert.equal(scorer.seen.length, 8);
  scorer.configure({ crops: 15 });
  await done(collection);
  assert.equal(scorer.seen.length, 8);
  assert.equal(collection.progress.fromStore, 4);
});

test("an image of a server is fetched once for each score, and not to find an earlier result", async () => {
  const scorer = new StandIn();
  const collection = new Collection({ scorer, results: new Results(100, () => {}) });
  let fetched = 0;
  const blob = async () => (fetched += 1, new Blob(["far.png"]));
  collection.add([{ ...entry("far.png"), url: "https://a.example/far.png", server: "a.example", blob }]);
  for (const [crops, scores] of [[15, 1], [1, 2], [15, 2], [1, 2]]) {
    scorer.configure({ crops });
    await done(collection);
    assert.deepEqual([scorer.seen.length, fetched, collection.items[0].result.crops], [scores, scores, crops]);
  }
});

test("a mark or a prompt of this visit leaves the other one of an earlier visit as it was", async () => {
  const results = new Results(100, () => {});
  const visit = async (change) => {
    const collection = new Collection({ scorer: new StandIn(), results });
    const [id] = collection.add(entries(1));
    change(collection, id); // Before the image is opened.
    await done(collection);
    await quiet(collection);
    collection.close();
    return pick(collection.get(id), ["mark", "prompt", "promptSource"]);
  };
  await visit((collection, id) => collection.setMark([id], "keep"));
  assert.deepEqual(await visit((collection, id) => collection.setPrompt(id, "a dog")), { mark: "keep", prompt: "a dog", promptSource: "typed" });
  assert.deepEqual(await visit((collection, id) => collection.setMark([id], 3)), { mark: 3, prompt: "a dog", promptSource: "typed" });
  assert.deepEqual(await visit(() => {}), { mark: 3, prompt: "a dog", promptSource: "typed" });
});

test("a cleared prompt is read from the image again", async () => {
  const { collection, scorer } = gallery();
  scorer.inImage.set("image-0.png", "as generated");
  const [id] = collection.add(entries(1));
  await done(collection);
  assert.deepEqual(pick(collection.get(id), ["prompt", "promptSource"]), { prompt: "as generated", promptSource: "parameters" });
  collection.setPrompt(id, "typed");
  assert.equal(collection.get(id).prompt, "typed");
  await done(collection);
  collection.setPrompt(id, "  ");
  await done(collection);
  assert.deepEqual(pick(collection.get(id), ["prompt", "promptSource"]), { prompt: "as generated", promptSource: "parameters" });
  assert.deepEqual(scorer.prompts, [null, "typed", null]);
});

test("the same prompt typed again is not scored again", async () => {
  const { collection, scorer } = gallery();
  const [id] = collection.add(entries(1));
  await done(collection);
  collection.setPrompt(id, "a dog");
  await done(collection);
  collection.setPrompt(id, " a dog ");
  await done(collection);
  assert.equal(scorer.seen.length, 2);
});
