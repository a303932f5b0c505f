// view.test.mjs — what the gallery shows, in which order, and how quickly that is found for 10,000 images.

import assert from "node:assert/strict";
import { test } from "node:test";

import { DEFAULT_VIEW, histogramOf, shownBy } from "../../www/src/gallery/view.js";
import { scoreFor } from "./stand-in.mjs";

/** The page must answer within this; an idle machine needs a tenth of it, which is what is printed. */
const ANSWER_MS = 100;

test("scores sort either way, equal ones in the order added, those without one last", () => {
  const items = [item(1, 3, 1), item(2), item(3, 1, 2), item(4, 3), item(5, null, null, "failed"), item(6, 1, 4)];
  assert.deepEqual(shown(items, { sort: "perception" }), [3, 6, 1, 4, 2, 5]);
  assert.deepEqual(shown(items, { sort: "perception", descending: true }), [1, 4, 3, 6, 2, 5]);
  assert.deepEqual(shown(items, { sort: "alignment" }), [1, 3, 6, 4, 2, 5], "scored without alignment comes before what waits");
  assert.deepEqual(shown(items, { sort: "mean", descending: true }), [6, 1, 3, 4, 2, 5]);
  assert.deepEqual(shown(items, { sort: "added", descending: true }), [6, 5, 4, 3, 2, 1]);
});

test("names sort as people number them, without regard to case and accents", () => {
  const names = ["image 10.png", "Image 9.png", "image 009.png", "école.png", "zebra.png", "eclair.png"];
  const items = names.map((name, index) => ({ ...item(index), name }));
  assert.deepEqual(shown(items, { sort: "name" }).map((id) => names[id]),
    ["eclair.png", "école.png", "Image 9.png", "image 009.png", "image 10.png", "zebra.png"]);
});

test("ranges include both ends, and at the ends of the scale what lies beyond", () => {
  const items = [item(1, -0.1, 1), item(2, 2, 2), item(3, 5.2, 3), item(4)];
  assert.deepEqual(shown(items, { perception: [2, 3] }), [2]);
  assert.deepEqual(shown(items, { perception: [0, 2] }), [1, 2]);
  assert.deepEqual(shown(items, { perception: [2, 5] }), [2, 3]);
  assert.deepEqual(shown(items, { perception: [0, 5] }), [1, 2, 3], "what has no score yet is not within a range");
  assert.deepEqual(shown(items, { perception: [0, 3], alignment: [2, 5] }), [2]);
  assert.deepEqual(shown(items, { perception: [2.001, 1.999] }), []);
});

test("search wants all words, in prompt or name, without regard to case and accents", () => {
  const items = ["A red Fox in snow", "fox, RED café", null].map((prompt, id) => ({ ...item(id), prompt, name: `n${id}.png` }));
  assert.deepEqual(shown(items, { search: " FOX  red" }), [0, 1]);
  assert.deepEqual(shown(items, { search: "cafe" }), [1]);
  assert.deepEqual(shown(items, { search: "n2" }), [2]);
  assert.deepEqual(shown(items, { search: "red n0" }), [0]);
  items[2].prompt = "now a fox";
  assert.deepEqual(shown(items, { search: "fox" }), [0, 1, 2], "a prompt that came later is found");
});

test("marks and status choose", () => {
  const items = [null, "keep", "reject", 3].map((mark, id) => ({ ...item(id), mark, status: id === 2 ? "failed" : "scored" }));
  assert.deepEqual(shown(items, { marks: ["keep", 3] }), [1, 3]);
  assert.deepEqual(shown(items, { marks: [null] }), [0]);
  assert.deepEqual(shown(items, { marks: [] }), [0, 1, 2, 3]);
  assert.deepEqual(shown(items, { status: "failed" }), [2]);
});

test("a histogram counts what the other filters show, the ends of the scale included", () => {
  const items = [item(1, -1, 1), item(2, 0, 2), item(3, 2.5, 3), item(4, 5, 4), item(5, 6, 5), item(6)];
  assert.deepEqual(histogram(items, { perception: [2, 3] }, "perception", 5), { counts: [2, 0, 1, 0, 2], low: 0, high: 5, total: 5 });
  assert.deepEqual(histogram(items, { alignment: [3, 5] }, "perception", 5).counts, [0, 0, 1, 0, 2]);
  assert.deepEqual(histogram(items, {}, "alignment", 2).counts, [2, 3]);
});

test("10,000 images are sorted, filtered, searched and counted while a person waits for nothing", () => {
  const items = Array.from({ length: 10_000 }, (_, id) => ({
    ...item(id, scoreFor(`p${id}`), scoreFor(`a${id}`)), name: `image-${(id * 7919) % 10_000}.png`,
    prompt: `a photo of a ${["fox", "dog", "tree", "house"][id % 4]} number ${id}, highly detailed, in the style of an old master, golden hour`,
  }));
  for (const [what, work] of Object.entries({
    "sort by mean": () => shown(items, { sort: "mean", descending: true }),
    "sort by name": () => shown(items, { sort: "name" }),
    "filter by two ranges": () => shown(items, { sort: "perception", perception: [1, 4], alignment: [2, 3] }),
    "search": () => shown(items, { search: "fox old 1" }),
    "histogram": () => histogram(items, { search: "golden" }, "perception", 50),
  })) {
    const first_ms = timed(work);
    // The quickest of nine: the machine may be busy with something else.
    const ms = Math.min(...Array.from({ length: 9 }, () => timed(work)));
    console.log(`${what}: ${ms.toFixed(1)} ms, the first time ${first_ms.toFixed(1)} ms`);
    assert.ok(ms < ANSWER_MS, `${what} took ${ms} ms`);
  }
});

function timed(work) {
  const begin = performance.now();
  work();
  return performance.now() - begin;
}

function item(id, perception = null, alignment = null, status = perception === null ? "waiting" : "scored") {
  const task = (score) => (score === null ? null : { score });
  return {
    id, name: `${id}.png`, path: `${id}.png`, prompt: null, mark: null, status,
    result: status === "scored" ? { perception: task(perception), alignment: task(alignment) } : null,
  };
}

function shown(items, view) {
  return shownBy(items, { ...DEFAULT_VIEW, ...view });
}

function histogram(items, view, task, bins) {
  return histogramOf(items, { ...DEFAULT_VIEW, ...view }, task, bins);
}
