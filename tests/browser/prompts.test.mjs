// prompts.test.mjs — prompts from tables and files beside the images, and the tables that the gallery writes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { parseCsv, refuse, writeCsv } from "../../www/src/gallery/csv.js";
import { snakeCase } from "../../www/src/engine/names.js";
import { toCsv, toJson } from "../../www/src/gallery/export.js";
import { urlsIn } from "../../www/src/gallery/urls.js";
import { matchTable, readSidecar, readTable } from "../../www/src/gallery/prompts.js";
import { StandIn } from "./stand-in.mjs";

test("quotes, separators and lines within cells are read as RFC 4180 has them, with the line where a row starts", () => {
  assert.deepEqual(parseCsv('a,"b, ""c""\r\nd",\r\n\r\ne,f,"g"'), [
    { line: 1, cells: ["a", 'b, "c"\r\nd', ""] },
    { line: 4, cells: ["e", "f", "g"] },
  ]);
  assert.deepEqual(parseCsv("sep=;\na;b,c", ","), [{ line: 2, cells: ["a", "b,c"] }]);
  assert.throws(() => parseCsv('a,b\nc,"d\ne'), /line 2: a quoted cell starts here and has no closing quote/);
});

test("a text that a spreadsheet would run is defused, and reading undoes that exactly", () => {
  const texts = ["=1+1", "+a", "-b", "@c", "\td", "'=e", "''=f", "'quoted'", 'say "hi", now', "two\nlines", "ä", "3 = 3"];
  const csv = writeCsv(texts.map((text) => [text]));
  const cells = parseCsv(csv).map(({ cells: [cell] }) => cell);
  assert.deepEqual(cells.filter((cell) => /^[=+\-@\t\r]/.test(cell)), []);
  assert.deepEqual(cells.map(refuse), texts);
  assert.equal(writeCsv([[-1.5, null, undefined, "plain"]]), "-1.5,,,plain\r\n", "a number is no formula");
});

for (const [what, bytes] of Object.entries({
  "with commas": "image,prompt\r\na.png,\"one, two\"\r\nb.png,three\r\n",
  "with semicolons and a mark, as Excel in Europe": "\uFEFFFile Name;Prompt\r\na.png;one, two\r\nb.png;three\r\n",
  "with the separator's own line": "sep=;\r\nname;prompt\r\na.png;\"one, two\"\r\nb.png;three",
  "with tabs in UTF-16, as Excel's Unicode text": utf16("Path\tText\r\na.png\tone, two\r\nb.png\tthree\r\n"),
  "with other columns around": "id,Caption,score,PATH\n1,\"one, two\",3.5,a.png\n2,three,4,b.png\n",
})) {
  test(`a table ${what} is read`, async () => {
    const { rows, notices } = await readTable(file(bytes));
    assert.deepEqual(rows.map(({ image, prompt }) => [image, prompt]), [["a.png", "one, two"], ["b.png", "three"]]);
    assert.deepEqual(notices, []);
  });
}

test("a table in the old Windows encoding is read, and said to be", async () => {
  const { rows, notices } = await readTable(file(Uint8Array.from([..."image;prompt\na.png;caf"].map((c) => c.charCodeAt(0)).concat(0xe9))));
  assert.equal(rows[0].prompt, "café");
  assert.match(notices[0], /prompts\.csv: the file is not UTF-8 and was read as Windows-1252/);
});

test("a table without a header that names the columns is refused with what was found", async () => {
  await assert.rejects(readTable(file("a.png,one\nb.png,two\n")), /prompts\.csv: the first line must name the columns: .*found "a\.png,one"/);
  await assert.rejects(readTable(file("")), /found ""/);
  await assert.rejects(readTable(file('image,prompt\na.png,"one\n')), /prompts\.csv: line 2: a quoted cell starts here/);
});

test("a row means the image whose path agrees in the most parts", () => {
  const items = ["run1/a.png", "run2/a.png", "run1/b.png", "Ü.png", "c/c.png"].map((path, id) => ({ id, path }));
  const rows = ["run2/a.png", "C:\\data\\run1\\a.png", "./B.PNG", "u\u0308.png", "d/e/c.png"].map((image, index) => ({ line: index + 2, image, prompt: String(index) }));
  const { prompts, notices } = matchTable({ name: "t.csv", rows, notices: [] }, items);
  assert.deepEqual([...prompts], [[1, "0"], [0, "1"], [2, "2"], [3, "3"], [4, "4"]]);
  assert.deepEqual(notices, []);
});

test("rows that fit no image, several, or one that has its prompt, are told with their lines", () => {
  const items = ["x/a.png", "y/a.png", "b.png"].map((path, id) => ({ id, path }));
  const rows = [["a.png", "1"], ["b.png", "2"], ["B.png", "3"], ...Array.from({ length: 7 }, (_, i) => [`gone${i}.png`, "4"])]
    .map(([image, prompt], index) => ({ line: index + 2, image, prompt }));
  const { prompts, notices } = matchTable({ name: "t.csv", rows, notices: [] }, items);
  assert.deepEqual([...prompts], [[2, "2"]]);
  assert.deepEqual(notices, [
    "t.csv: no image fits line 5 (gone0.png), line 6 (gone1.png), line 7 (gone2.png), line 8 (gone3.png), line 9 (gone4.png) and 2 more",
    "t.csv: several images fit line 2 (a.png); write more of the path in the table",
    "t.csv: an earlier line has a prompt for the same image as line 4 (B.png); the earlier one is used",
  ]);
});

test("a sidecar is read as the command line reads it, or as JSON's prompt", async () => {
  const read = (name, content) => readSidecar({ name, blob: async () => new Blob([content]) });
  assert.equal(await read("a.txt", "\uFEFF a fox\r\n"), "a fox");
  assert.equal(await read("a.txt", " \n"), "");
  assert.equal(await read("a.json", '{"prompt": " a fox ", "seed": 3}'), "a fox");
  assert.equal(await read("a.json", '{"seed": 3}'), null);
  assert.equal(await read("a.json", '[1]'), null);
  await assert.rejects(read("a.json", '{"prompt": '), /the prompt file a\.json is not JSON/);
  await assert.rejects(read("a.txt", new Uint8Array([0xff, 0x00])), /the prompt file a\.txt cannot be read: it is not UTF-8 text/);
});

test("addresses are read one a line, and what is none is told", () => {
  const { urls, notices } = urlsIn("# a list\r\nhttps://a.example/x.png\n\n file:///etc/passwd\nnonsense\nb.png", undefined);
  assert.deepEqual(urls.map(String), ["https://a.example/x.png"]);
  assert.deepEqual(notices, ['expected the address of an image, starting with https://, found something else in line 4 ("file:///etc/passwd"), line 5 ("nonsense"), line 6 ("b.png")']);
  assert.deepEqual(urlsIn("b.png", "https://a.example/c/").urls.map(String), ["https://a.example/c/b.png"]);
  assert.match(urlsIn(" \n").notices[0], /no address/);
});

test("the list as CSV has a row an image with every part, and leaves out what is out of date", () => {
  const scorer = new StandIn();
  const scored = item({ name: "a.png", path: "run/a.png", prompt: "=HYPERLINK(1)", promptSource: "typed", mark: "keep", status: "scored", result: scorer.scoreOf("a.png", "x"),
    provenance: { device: "d", dtype: "f16", modelHash: "abc", preprocessing: "p1" }, elapsedMs: 12.5, width: 64, height: 48 });
  const failed = item({ name: "b.png", path: "b.png", status: "failed", error: "no image, or a broken one" });
  const stale = item({ ...scored, name: "c.png", path: "c.png", prompt: "-5 °C", status: "waiting" });
  const [names, ...rows] = parseCsv(toCsv([scored, failed, stale])).map(({ cells }) => cells);
  assert.equal(names[0], "\uFEFFname", "a mark, as the prompts are not all ASCII");
  names[0] = "name";
  const [a, b, c] = rows.map((cells) => Object.fromEntries(names.map((name, index) => [name, cells[index]])));
  const { perception, alignment } = scored.result;
  assert.deepEqual(pick(a, ["name", "path", "prompt", "prompt_source", "prompt_truncated", "status", "mark", "model", "model_sha256", "device", "dtype", "preprocessing",
    "crops", "elapsed_ms", "width", "height", "error"]), ["a.png", "run/a.png", "'=HYPERLINK(1)", "typed", "false", "scored", "keep", "stand-in", "abc", "stand-in",
    "f16", "p1", "15", "12.5", "64", "48", ""]);
  assert.deepEqual(pick(a, ["perception", "alignment", "mean"]).map(Number), [perception.score, alignment.score, (perception.score + alignment.score) / 2]);
  for (const [task, { qImage, qPatches, qFine, alpha, wImage, pImage }] of Object.entries({ perception, alignment })) {
    assert.deepEqual(pick(a, ["q_image", "q_patches", "q_fine", "alpha", "w_image", "p_image_bad", "p_patches_perfect"].map((part) => `${task}_${part}`)).map(Number),
      [qImage, qPatches, qFine, alpha, wImage, pImage[0], pImage[4]]);
  }
  assert.deepEqual(pick(b, ["name", "perception", "error", "status"]), ["b.png", "", "no image, or a broken one", "failed"]);
  assert.deepEqual(pick(c, ["prompt", "perception", "status", "model_sha256"]), ["'-5 °C", "", "waiting", ""]);
  assert.doesNotMatch(toCsv([failed]), /\uFEFF/);
});

test("the list as JSON has the whole result", () => {
  const result = new StandIn().scoreOf("a.png", null);
  const scored = item({ name: "a.png", path: "a.png", status: "scored", result, provenance: { device: "d", dtype: "f16", modelHash: "abc", preprocessing: "p1" }, elapsedMs: 5 });
  const [a, b] = JSON.parse(toJson([scored, item({ name: "b.png", path: "b.png", status: "failed", error: "why" })]));
  assert.deepEqual(a.perception, snakeCase(result.perception), "names as in the command line's JSON");
  assert.equal(a.perception.q_image, result.perception.qImage);
  assert.deepEqual(pick(a, ["name", "prompt", "mean", "alignment", "crops", "device", "model_sha256", "dtype", "preprocessing", "elapsed_ms", "error"]),
    ["a.png", null, null, null, 15, "stand-in", "abc", "f16", "p1", 5, null]);
  assert.deepEqual(pick(b, ["name", "status", "error", "perception"]), ["b.png", "failed", "why", undefined]);
});

function item(known) {
  return { prompt: null, promptSource: null, isHeld: false, error: null, result: null, fromStore: false, width: null, height: null, mark: null, elapsedMs: null, provenance: null, ...known };
}

function file(content) {
  return { name: "prompts.csv", blob: async () => new Blob([content]) };
}

function utf16(text) {
  return new Uint8Array([0xff, 0xfe, ...[...text].flatMap((char) => [char.charCodeAt(0) & 255, char.charCodeAt(0) >> 8])]);
}

function pick(object, keys) {
  return keys.map((key) => object[key]);
}
