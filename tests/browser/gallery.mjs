// gallery.mjs — for the tests of the gallery: opens it, waits for it, reads the numbers on its screen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { camelCase } from "../../www/src/engine/names.js";
import { PATIENCE_MS } from "./served.mjs";

export const PAGE = "index.html";
/** The CPU kernels differ from the native ones in the order of sums; the GPU also in its exp and division. */
const TOLERANCE = { cpu: 1e-3, webgpu: 2e-3 };
/** A tile shows two digits. */
const ROUNDING = 0.005;

/**
 * A test on a gallery of its own, in a browser profile of its own. Warnings and errors on the console fail it, but for those
 * that it says it provokes, and so do requests to any other server. `before` runs before the page opens; what it returns reaches
 * the test.
 */
export function galleryClaims(opened) {
  return (name, body, { query = "?device=cpu", isEmpty = false, before = async () => {}, provoked = [], context: options = {} } = {}) =>
    test(name, { timeout: 2 * PATIENCE_MS }, async () => {
      const { browser, served } = opened;
      served.forget();
      const context = await browser.newContext(options);
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE_MS);
      const seen = [];
      page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.push(message.text()));
      page.on("pageerror", (error) => seen.push(`page: ${error.message}`));
      await page.addInitScript(countScores);
      try {
        served.isEmpty = isEmpty; // By the server, since a service worker's requests pass a page's routes by.
        const prepared = await before(page);
        await page.goto(`${served.origin}/${PAGE}${query}`);
        await page.locator("tsp-gallery [part=header]").waitFor();
        await body(page, context, prepared);
      } finally {
        await context.close();
      }
      assert.deepEqual(seen.filter((line) => !provoked.some((pattern) => pattern.test(line))), []);
    });
}

/** Counts what is really sent to be scored. */
function countScores() {
  window.scoreRequests = 0;
  const { postMessage } = Worker.prototype;
  Worker.prototype.postMessage = function (message, ...more) {
    if (message?.type === "score") window.scoreRequests += 1;
    return postMessage.call(this, message, ...more);
  };
}

/** Drops files on the gallery: an event with a real DataTransfer. */
export async function drop(page, files) {
  const dataTransfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of files) transfer.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name));
    return transfer;
  }, files.map(({ name, bytes }) => ({ name, base64: bytes.toString("base64") })));
  await page.dispatchEvent("tsp-gallery", "drop", { dataTransfer });
}

export function tile(page, file) {
  return page.locator(`[role="gridcell"][title="${file}"]`);
}

/** What a screen reader says of a tile. */
export function spoken(page, file) {
  return tile(page, file).locator(".spoken").textContent();
}

/** Until there are images and none waits. */
export async function allScored(page) {
  await page.waitForFunction(() => {
    const progress = document.querySelector("tsp-gallery")?.collection?.progress;
    return progress?.total > 0 && progress.waiting === 0;
  });
  // The screen follows in the next frame.
  await page.evaluate(() => document.querySelector("tsp-gallery").updateComplete);
}

/** Until exactly these tiles are shown, in any order. */
export async function named(page, files) {
  await page.waitForFunction((wanted) => {
    const cells = [...document.querySelector("tsp-gallery").shadowRoot.querySelectorAll('[role="gridcell"]')];
    return JSON.stringify(cells.map(({ title }) => title).sort()) === wanted;
  }, JSON.stringify(files.toSorted()));
}

/** Compares a tile's two scores. */
export async function shownScores(page, file, expected, device = "cpu") {
  await tile(page, file).locator("data.value").first().waitFor();
  const shown = await tile(page, file).locator("data.value").evaluateAll((all) => all.map(({ dataset, value, textContent }) => ({ task: dataset.task, value, textContent })));
  assert.deepEqual(shown.map(({ task }) => task), ["perception", "alignment"].filter((task) => expected[task]), file);
  for (const { task, value, textContent } of shown) {
    const { score } = expected[task];
    assert.ok(Math.abs(value - score) <= TOLERANCE[device], `${file}, ${task}: the tile has ${value}, the command line ${score}`);
    assert.ok(Math.abs(textContent - score) <= TOLERANCE[device] + ROUNDING, `${file}, ${task}: the tile shows ${textContent}`);
  }
}

/** Compares all that the large view shows of a result: numbers and their digits, both heat maps, and what shows on hover. */
export async function compareShown(page, result, device) {
  const { perception, alignment } = camelCase(result);
  const tolerance = TOLERANCE[device];
  const tasks = Object.entries({ perception, alignment }).filter(([, task]) => task);
  // Numbers that stand in a text, as rounded there. Written so that NaN fails.
  const nearText = (text, expected, what) => {
    const figures = text.match(/-?\d+\.\d+/g);
    assert.equal(figures?.length, expected.length, `${what}: ${text}`);
    figures.forEach((figure, index) => {
      const rounding = 0.5 * 10 ** -figure.split(".")[1].length;
      assert.ok(Math.abs(figure - expected[index]) <= tolerance + rounding, `${what}: ${text}, the command line ${expected[index]}`);
    });
  };
  const inside = (selector, read) => page.locator(`.detail ${selector}`).evaluateAll(read);

  const hovers = await inside(".words .prompt span", (spans) => spans.map(({ title }) => title));
  const words = tasks.flatMap(([, task]) => task.words);
  assert.equal(hovers.length, words.length);
  words.forEach(({ text, wImage, wPatches }, index) => nearText(hovers[index], [wImage, wPatches], `hover of ${text}`));

  for (const [name, task] of tasks) {
    await page.locator(`.heat [value=${name}]`).check();
    await page.locator(`[data-key="${name}.patches.lowest"]`).waitFor();
    const cells = await inside(".overlay rect", (all) => all.map((rect) => {
      const { x, y, width, height } = rect.getBBox();
      return { x: x + width / 2, y: y + height / 2, text: rect.textContent.split(" of")[0] };
    }));
    const levels = cells.map(({ x, y }) => meanOf(task.patches
      .filter((patch) => patch.x < x && x < patch.x + patch.width && patch.y < y && y < patch.y + patch.height)
      .map(({ p }) => (5 / (p.length - 1)) * p.reduce((sum, probability, level) => sum + probability * level, 0))));
    cells.forEach(({ text }, index) => nearText(text, [levels[index]], `${name}, crops at ${cells[index].x}, ${cells[index].y}`));

    const expected = Object.assign({}, ...tasks.map(([name, task]) => numbersOf(name, task)),
      { [`${name}.patches.lowest`]: Math.min(...levels), [`${name}.patches.highest`]: Math.max(...levels) });
    const shown = await inside("[data-key]", (all) => all.map(({ dataset, textContent }) => ({ key: dataset.key, value: Number(dataset.value), text: textContent })));
    assert.deepEqual([...new Set(shown.map(({ key }) => key))].sort(), Object.keys(expected).sort(), "the page shows every number, and no other");
    for (const { key, value, text } of shown) {
      assert.ok(Math.abs(value - expected[key]) <= tolerance, `${key}: the page shows ${value}, the command line ${expected[key]}`);
      const digits = text.match(/\.(\d+)/)?.[1].length ?? 0;
      assert.equal(text, text.endsWith("%") ? `${(100 * value).toFixed(digits)} %` : value.toFixed(digits), key);
    }
  }
}

/** The numbers of a task and what follows from them, named as on the page. A part that the model lacks is null and not shown. */
function numbersOf(name, task) {
  const numbers = {};
  const collect = (value, key) => {
    if (typeof value === "number") numbers[key] = value;
    else if (value && typeof value === "object") for (const part of Object.keys(value)) collect(value[part], `${key}.${part}`);
  };
  // Crops are shown by the heat map, and where a word stands is no score.
  const { patches, words, alpha, ...rest } = task;
  const { qImage, qPatches } = rest;
  collect({ ...rest, words: words.map(({ wImage, wPatches }) => ({ wImage, wPatches })) }, name);
  if (qImage !== null) collect({ alpha, "alpha*qImage": alpha * qImage }, name);
  if (qPatches !== null) collect({ "(1-alpha)": 1 - alpha, "(1-alpha)*qPatches": (1 - alpha) * qPatches }, name);
  const closeness = words.map(({ wImage, wPatches }) => meanOf([wImage, wPatches]));
  if (words.length > 0) collect({ words: { least: Math.min(...closeness), most: Math.max(...closeness) } }, name);
  return numbers;
}

function meanOf(numbers) {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}
