// gallery-many.test.mjs — the gallery with thousands of images: it scrolls through all of them, and answers while it scores.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { allScored, galleryClaims, tile } from "./gallery.mjs";
import { opening, PATIENCE_MS } from "./served.mjs";
import { traced } from "./traced.mjs";

/** Issue 4's bounds for a gallery that scores. */
const IMAGES = 2000;
const ANSWER_MS = 100;
const TAB_BYTES = 1e9;
/** After so many images the pointer moves once. */
const STRIDE = 10;
/** Issue 4's number for a grid that scrolls smoothly. */
const TILES = 10_000;
/** Above and below the screen, so that a wheel finds the next rows ready. */
const SPARE_ROWS = 4;

const opened = opening();
const claim = galleryClaims(opened);

claim(`${TILES} images: wherever wheel and keys lead, the tiles in view are those of the place, and few others exist`, async (page) => {
  await page.evaluate(dropGenerated, { count: TILES, side: 8 });
  await page.waitForFunction((count) => document.querySelector("tsp-gallery").collection.items.length === count, TILES);
  const byName = Array.from({ length: TILES }, (_, index) => index);
  let seen = await settled(page, byName);
  const { x, y, width, height } = seen.view;
  await page.mouse.move(x + width / 2, y + height / 2);

  // As a wheel turns, then in long strides.
  let stops = 0;
  for (const stride of [...Array(10).fill(120), ...Array(100).fill(200 * seen.rowHeight)]) {
    const before = seen.scrolled;
    await page.mouse.wheel(0, stride);
    await page.waitForFunction((before) => document.querySelector("tsp-gallery").shadowRoot.querySelector(".scroller").scrollTop > before, before);
    seen = await settled(page, byName);
    stops += 1;
    if (seen.scrolled + seen.view.height >= seen.whole - 1) break;
  }
  assert.ok(stops > 15, `the end came after ${stops} stops`);
  assert.equal(seen.tiles.at(-1).title, nameOf(TILES - 1));

  await tile(page, nameOf(TILES - 1)).focus();
  const goes = async (key, order, index) => {
    await page.keyboard.press(key);
    await page.waitForFunction((title) => document.querySelector("tsp-gallery").shadowRoot.activeElement?.title === title, nameOf(order[index]));
    const { tiles } = await settled(page, order);
    assert.ok(tiles.find(({ title }) => title === nameOf(order[index]))?.isWhole, `${key} brings ${nameOf(order[index])} on the screen`);
  };
  await goes("Home", byName, 0);
  await goes("End", byName, TILES - 1);
  await goes("ArrowLeft", byName, TILES - 2);
  await goes("Home", byName, 0);
  await goes("ArrowDown", byName, seen.columns);

  await page.getByLabel("Sort by").selectOption("name");
  await page.getByRole("button", { name: "Lowest first" }).click();
  const reversed = byName.toReversed();
  await tile(page, (await settled(page, reversed)).tiles[0].title).focus();
  await goes("Home", reversed, 0);
  await goes("End", reversed, TILES - 1);

  // What is on the screen is scored first, long before the turn of its place.
  await tile(page, nameOf(0)).locator("data.value").first().waitFor();
  const { scored } = await page.evaluate(() => document.querySelector("tsp-gallery").collection.progress);
  assert.ok(scored < TILES / 2, `${scored} of ${TILES} were scored by then`);
}, { query: "?device=cpu&crops=1", isEmpty: true });

claim(`${IMAGES} images go through while the page answers within ${ANSWER_MS} ms`, async (page) => {
  // An empty page beside it has the same machine, and shows what that takes for itself while it computes.
  const other = await opened.browser.newPage();
  for (const probed of [page, other]) await probed.evaluate(probe);
  await page.evaluate(dropGenerated, { count: IMAGES, side: 48 });
  await page.waitForFunction((count) => document.querySelector("tsp-gallery").collection.items.length === count, IMAGES);
  const session = await opened.browser.newBrowserCDPSession();
  const tasksOf = await traced(session, page);
  let most = 0;
  let mostTiles = 0;
  for (let turn = 1; turn <= IMAGES / STRIDE; turn += 1) {
    const tiles = await page.waitForFunction((done) => {
      const { collection, shadowRoot } = document.querySelector("tsp-gallery");
      const { scored, failed } = collection.progress;
      return (scored + failed >= done || failed > 0) && shadowRoot.querySelectorAll('[role="gridcell"]').length;
    }, turn * STRIDE);
    mostTiles = Math.max(mostTiles, await tiles.jsonValue());
    for (const probed of [page, other]) await probed.mouse.move(300 + (turn % 50) * 5, 500);
    if (turn % 4 === 0) await page.mouse.wheel(0, turn % 40 < 24 ? 1500 : -1800);
    if (turn % 10 === 0) most = Math.max(most, await tabBytes(session));
  }
  await allScored(page);
  assert.deepEqual(await page.evaluate(() => {
    const { scored, failed } = document.querySelector("tsp-gallery").collection.progress;
    return { scored, failed };
  }), { scored: IMAGES, failed: 0 });
  const tasks = await tasksOf();
  const answers = await answersOf(page);
  const others = await answersOf(other);
  await other.close();
  assert.ok(answers.length > IMAGES / STRIDE / 2, `${answers.length} answers`);
  assert.ok(tasks.length > IMAGES, `${tasks.length} tasks`);
  console.log(`answers: half within ${at(answers, 0.5)} ms, 95 % within ${at(answers, 0.95)} ms, the empty page's within ${at(others, 0.95)} ms; the longest of ${tasks.length} tasks computed for ${tasks.at(-1).toFixed(0)} ms; at most ${(most / 1e6).toFixed(0)} MB and ${mostTiles} tiles`);
  // Whatever a person does waits for the task in work. A busy machine makes single tasks longer, but not without bound.
  assert.ok(at(tasks, 0.999) <= ANSWER_MS, `one task in a thousand of the page's thread computed for over ${at(tasks, 0.999)} ms`);
  assert.ok(tasks.at(-1) <= 2 * ANSWER_MS, `a task of the page's thread computed for ${tasks.at(-1)} ms`);
  assert.ok(at(answers, 0.95) <= ANSWER_MS + at(others, 0.95), `95 % of the answers came within ${at(answers, 0.95)} ms, those of an empty page within ${at(others, 0.95)} ms`);
  assert.ok(most < TAB_BYTES, `the tab grew to ${most} bytes`);
  assert.ok(mostTiles < 300, `${mostTiles} tiles were in the page at once`);
  assert.equal(await page.evaluate(() => window.scoreRequests), IMAGES);
}, { query: "?device=cpu&crops=1", isEmpty: true });

/** Drops so many small pictures, each of a colour of its own that tells its number. Runs in the page. */
function dropGenerated({ count, side }) {
  const HEADER = 54;
  const transfer = new DataTransfer();
  for (let index = 0; index < count; index += 1) {
    const bytes = new Uint8Array(HEADER + 3 * side * side); // A BMP; `side` is a multiple of 4, so that rows need no padding.
    const view = new DataView(bytes.buffer);
    bytes.set([0x42, 0x4d]);
    for (const [at, value] of [[2, bytes.length], [10, HEADER], [14, 40], [18, side], [22, side], [26, 1 | (24 << 16)]]) view.setUint32(at, value, true);
    for (let at = HEADER; at < bytes.length; at += 3) bytes.set([128, index >> 8, index & 255], at); // Blue, green, red.
    transfer.items.add(new File([bytes], `${String(index).padStart(5, "0")}.bmp`));
  }
  document.querySelector("tsp-gallery").dispatchEvent(new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true }));
}

function nameOf(index) {
  return `${String(index).padStart(5, "0")}.bmp`;
}

/** The grid as it is on the screen. Runs in the page. */
function look() {
  const { shadowRoot } = document.querySelector("tsp-gallery");
  const scroller = shadowRoot.querySelector(".scroller");
  const grid = shadowRoot.querySelector(".grid");
  const view = scroller.getBoundingClientRect();
  const place = grid.getBoundingClientRect();
  const rowHeight = place.height / grid.ariaRowCount;
  const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const tiles = [...shadowRoot.querySelectorAll('[role="gridcell"]')].map((cell) => {
    const { top, bottom } = cell.getBoundingClientRect();
    probe.clearRect(0, 0, 1, 1);
    probe.drawImage(cell.querySelector("canvas"), 0, 0);
    const [red, green, , alpha] = probe.getImageData(0, 0, 1, 1).data;
    return {
      title: cell.title, row: Number(cell.closest('[role="row"]').ariaRowIndex), column: Number(cell.ariaColIndex), y: top - place.top,
      isInView: bottom > view.top && top < view.bottom, isWhole: top >= view.top && bottom <= view.bottom, painted: alpha ? red + 256 * green : null,
    };
  });
  tiles.sort((a, b) => a.row - b.row || a.column - b.column);
  return {
    tiles, rowHeight, rows: Number(grid.ariaRowCount), columns: Number(grid.ariaColCount), above: view.top - place.top,
    scrolled: scroller.scrollTop, whole: scroller.scrollHeight, view: { x: view.x, y: view.y, width: view.width, height: view.height },
  };
}

/** What is wrong with what is seen if these images stand in this order; null if nothing is. */
function wrongIn({ tiles, rowHeight, rows, columns, above, view }, order) {
  if (rows !== Math.ceil(order.length / columns)) return `${rows} rows of ${columns} for ${order.length} images`;
  for (const { title, row, column, y, isInView, painted } of tiles) {
    const index = order[(row - 1) * columns + column - 1];
    if (title !== nameOf(index)) return `${title} stands in row ${row}, column ${column}, the place of ${nameOf(index)}`;
    if (Math.abs(y - (row - 1) * rowHeight) > 1) return `row ${row} lies at ${y}, and a row is ${rowHeight} high`;
    if (isInView && painted !== index) return `the picture of ${title} is that of ${painted}`;
  }
  const first = Math.max(0, Math.floor(above / rowHeight));
  const end = Math.min(rows, Math.ceil((above + view.height) / rowHeight));
  const wanted = order.slice(first * columns, end * columns).map(nameOf);
  const names = new Set(tiles.map(({ title }) => title));
  const missing = wanted.filter((name) => !names.has(name));
  if (missing.length > 0) return `${missing} should be in view`;
  const most = (end - first + SPARE_ROWS) * columns;
  return tiles.length > most ? `${tiles.length} tiles exist, at most ${most} are needed` : null;
}

/** Waits until what is seen is right and stays so; returns it. */
async function settled(page, order) {
  const end = Date.now() + PATIENCE_MS;
  for (let last = null; ;) {
    const seen = await page.evaluate(look);
    const wrong = wrongIn(seen, order);
    if (wrong === null && seen.scrolled === last) return seen;
    last = wrong === null ? seen.scrolled : null;
    assert.ok(Date.now() < end, wrong ?? "it scrolls without end");
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

/** What a person notices: how long the pointer waits for its answer, and the next frame after it. */
function probe() {
  window.answers = [];
  document.addEventListener("pointermove", ({ timeStamp }) => requestAnimationFrame(() => window.answers.push(performance.now() - timeStamp)), true);
}

async function answersOf(page) {
  return (await page.evaluate(() => window.answers)).toSorted((a, b) => a - b);
}

function at(sorted, share) {
  return Math.round(sorted[Math.floor(sorted.length * share)]);
}

/** The memory of the tab's process, wasm and worker included. */
async function tabBytes(session) {
  const { processInfo } = await session.send("SystemInfo.getProcessInfo");
  const sizes = processInfo.filter(({ type }) => type === "renderer").map(({ id }) => 1024 * Number(execFileSync("ps", ["-o", "rss=", "-p", String(id)], { encoding: "utf8" })));
  return Math.max(...sizes);
}
