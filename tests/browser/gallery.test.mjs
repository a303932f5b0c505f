// gallery.test.mjs — the gallery in Chromium, used as a person uses it: what is on the screen is compared with the command line.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before } from "node:test";
import { allScored, compareShown, drop, galleryClaims, named, shownScores, spoken, tile } from "./gallery.mjs";
import { bytesOf, commandLine, dist, opening } from "./served.mjs";

const claim = galleryClaims(opening());
let samples;

before(() => {
  samples = JSON.parse(readFileSync(join(dist, "samples/samples.json")));
});

claim("the samples are scored as the command line scores them, and the first within 10 s", async (page) => {
  const begin = Date.now();
  await page.locator("data.value").first().waitFor();
  // The bound of the page's promise, on the CPU device.
  assert.ok(Date.now() - begin < 10_000, `the first score came after ${Date.now() - begin} ms`);
  await allScored(page);
  for (const { file, prompt } of samples) await shownScores(page, file, commandLine(file, prompt));
});

for (const device of ["cpu", "webgpu"]) {
  claim(`the large view shows every number of the command line on ${device}`, async (page) => {
    const { file, prompt } = samples.find(({ prompt }) => prompt);
    await drop(page, [{ name: file, bytes: bytesOf(file) }]);
    await allScored(page);
    await tile(page, file).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Prompt", { exact: true }).fill(prompt);
    await page.keyboard.press("Enter");
    await allScored(page);
    await compareShown(page, commandLine(file, prompt), device);
    assert.match(await page.locator(".detail").textContent(), /Typed here/);
  }, { query: `?device=${device}`, isEmpty: true });
}

claim("search, marks, order and a brushed range decide what is shown", async (page) => {
  await allScored(page);
  const scores = samples.map(({ file, prompt }) => ({ file, ...commandLine(file, prompt) }));
  const files = () => page.locator('[role="gridcell"]').evaluateAll((cells) => cells.map(({ title }) => title));

  await page.getByLabel("Sort by").selectOption("alignment");
  const sorted = scores.toSorted((a, b) => b.alignment.score - a.alignment.score).map(({ file }) => file);
  await page.waitForFunction((first) => document.querySelector("tsp-gallery").shadowRoot.querySelector('[role="gridcell"]').title === first, sorted[0]);
  assert.deepEqual(await files(), sorted);

  // By pointer, from where the scores lie furthest apart to beyond the end of the scale.
  const levels = scores.map(({ alignment }) => Math.min(5, Math.max(0, alignment.score))).sort((a, b) => a - b);
  const gaps = levels.slice(1).map((level, index) => level - levels[index]);
  const widest = gaps.indexOf(Math.max(...gaps));
  assert.ok(gaps[widest] > 0.1, "the samples' scores must lie apart, as a range is set in steps of 0.05");
  const from = (levels[widest] + levels[widest + 1]) / 2;
  const plot = await page.locator(".histogram.alignment .plot").boundingBox();
  await page.mouse.move(plot.x + (plot.width * from) / 5, plot.y + 12);
  await page.mouse.down();
  await page.mouse.move(plot.x + plot.width * 0.8, plot.y + 12);
  await page.mouse.move(plot.x + plot.width + 20, plot.y + 12);
  await page.mouse.up();
  const above = scores.filter(({ alignment }) => alignment.score >= from).map(({ file }) => file);
  await named(page, above);
  // And by keys: the lower end moves to the start.
  await page.getByRole("slider", { name: "Lowest alignment" }).focus();
  await page.keyboard.press("Home");
  await named(page, scores.map(({ file }) => file));

  await page.keyboard.press("Escape");
  await page.getByLabel("Search prompts and names").fill("tabby green");
  await named(page, samples.filter(({ prompt }) => /tabby.*green/.test(prompt)).map(({ file }) => file));
  await page.getByLabel("Search prompts and names").fill("");

  await tile(page, "coffee.jpg").focus();
  await page.keyboard.press("k");
  await page.getByLabel("Show", { exact: true }).selectOption("Kept");
  await named(page, ["coffee.jpg"]);
});

claim("everything goes by keys alone, and the focus is never lost", async (page) => {
  await allScored(page);
  const focused = () => page.evaluate(() => document.querySelector("tsp-gallery").shadowRoot.activeElement?.title);
  // Tab reaches the grid, as one stop.
  for (let press = 0; press < 40 && !samples.some(({ file }) => file === awaited); press += 1) {
    await page.keyboard.press("Tab");
    var awaited = await focused();
  }
  const order = samples.map(({ file }) => file);
  assert.equal(await focused(), order[0]);
  await page.keyboard.press("Tab");
  assert.ok(!order.includes(await focused()), "a second Tab leaves the grid");
  await page.keyboard.press("Shift+Tab");

  await page.keyboard.press("ArrowRight");
  assert.equal(await focused(), order[1]);
  await page.keyboard.press("End");
  assert.equal(await focused(), order.at(-1));
  await page.keyboard.press("Home");
  await page.keyboard.press("k");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("x");
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("4");
  for (const [file, said] of [[order[0], "kept"], [order[1], "rejected"], [order[2], "4 of 5 stars"]]) {
    assert.match(await spoken(page, file), new RegExp(`${said}$`));
  }
  await page.keyboard.press("0");
  assert.doesNotMatch(await spoken(page, order[2]), /stars/);

  await page.keyboard.press(" ");
  await page.keyboard.press("Shift+ArrowRight");
  assert.deepEqual(await page.locator('[aria-selected="true"]').evaluateAll((cells) => cells.map(({ title }) => title)), order.slice(2, 4));
  await page.keyboard.press("c");
  await page.locator("dialog.compare[open]").waitFor();
  const [left, right] = samples.slice(2, 4).map(({ file, prompt }) => commandLine(file, prompt));
  for (const [index, { alignment }] of [left, right].entries()) {
    const shown = await page.locator(`[data-key="${index}.alignment.score"]`).getAttribute("data-value");
    assert.ok(Math.abs(shown - alignment.score) <= 1e-3, `${index}: ${shown}, the command line ${alignment.score}`);
  }
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  assert.equal(await page.locator('[aria-selected="true"]').count(), 0);

  await page.keyboard.press("Home");
  await page.keyboard.press("Enter");
  await page.locator("dialog.detail[open]").waitFor();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.locator(".detail h2").first().textContent(), order[1]);
  await page.keyboard.press("5");
  await page.keyboard.press("Escape");
  assert.equal(await focused(), order[1], "the focus comes back to the image that was shown");
  assert.match(await spoken(page, order[1]), /5 of 5 stars$/);

  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keys" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("/");
  assert.equal(await page.evaluate(() => document.querySelector("tsp-gallery").shadowRoot.activeElement.type), "search");
});

claim("work can be paused, resumed and cancelled", async (page) => {
  const waiting = () => page.evaluate(() => document.querySelector("tsp-gallery").collection.progress.waiting);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume" }).waitFor();
  await page.waitForFunction(() => !document.querySelector("tsp-gallery").collection.items.some(({ status }) => status === "working"));
  assert.ok(await waiting() > 0, "some wait");
  // While the model still loads, the header has a button of that name, too.
  await page.getByRole("region", { name: "Order and filters" }).getByRole("button", { name: "Cancel" }).click();
  await page.waitForFunction(() => document.querySelector("tsp-gallery").collection.progress.waiting === 0);
  await page.getByRole("button", { name: "Resume" }).click();
  await allScored(page);
  for (const { file, prompt } of samples) await shownScores(page, file, commandLine(file, prompt));
}, { before: (page) => page.route("**/samples/*.jpg", async (route) => {
  // Slow enough to be paused: the buttons are there before the last image is.
  await page.locator('button:has-text("Resume"), .selection').first().waitFor({ timeout: 100_000 });
  await route.continue();
}) });

claim("the list leaves as CSV and JSON with scores, parts and provenance, the kept names as text", async (page) => {
  await allScored(page);
  await tile(page, "cat.jpg").focus();
  await page.keyboard.press("k");
  const save = async (name) => {
    await page.getByRole("button", { name: "Export" }).click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    return readFileSync(await download.path(), "utf8");
  };
  const rows = JSON.parse(await save("Scores of the list as JSON"));
  assert.deepEqual(rows.map(({ name }) => name), samples.map(({ file }) => file));
  const { file, prompt } = samples[0];
  const expected = commandLine(file, prompt);
  assert.ok(Math.abs(rows[0].perception.score - expected.perception.score) <= 1e-3);
  assert.ok(rows[0].model_sha256 && rows[0].dtype && rows[0].preprocessing && rows[0].device);
  const csv = await save("Scores of the list as CSV");
  assert.equal(csv.trimEnd().split("\r\n").length, samples.length + 1);
  assert.equal(await save("Names of kept images as a file"), "cat.jpg\n");
});

claim("after a reload nothing is scored again, and marks and typed prompts are there", async (page) => {
  await allScored(page);
  await tile(page, "cat.jpg").focus();
  await page.keyboard.press("k");
  await page.keyboard.press("Enter");
  await page.getByLabel("Prompt", { exact: true }).fill("a lynx");
  await page.keyboard.press("Enter");
  await allScored(page);
  assert.equal(await page.evaluate(() => window.scoreRequests), samples.length + 1);
  // They are written down in the background.
  await page.waitForFunction(async (count) => {
    const database = await new Promise((resolve) => Object.assign(indexedDB.open("tsp-mgs"), { onsuccess: ({ target }) => resolve(target.result) }));
    const { target } = await new Promise((resolve) => Object.assign(database.transaction("results").objectStore("results").count(), { onsuccess: resolve }));
    database.close();
    return target.result === count;
  }, samples.length + 1);
  await page.reload();
  await allScored(page);
  assert.equal(await page.evaluate(() => window.scoreRequests), 0);
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", "a lynx"));
  assert.match(await spoken(page, "cat.jpg"), /kept$/);
  assert.match(await page.locator(".state").textContent(), new RegExp(`${samples.length} from an earlier visit`));
});
