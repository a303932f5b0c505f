// gallery.test.mjs — the gallery in Chromium, used as a person uses it: what is on the screen is compared with the command line.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { allScored, compareShown, galleryClaims, named, shownScores, spoken, tile } from "./gallery.mjs";
import { commandLine, dist, needBuilt, openChromium, rebuilt, Served } from "./served.mjs";

let served, browser, samples, folder;
const claim = galleryClaims(() => ({ browser, served }));

before(async () => {
  needBuilt();
  samples = JSON.parse(readFileSync(join(dist, "samples/samples.json")));
  served = await Served.open();
  browser = await openChromium();
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
});

after(async () => {
  await browser?.close();
  served?.close();
  rmSync(folder, { recursive: true, force: true });
});

const bytesOf = (file) => readFileSync(join(dist, "samples", file));

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

claim("a dropped CSV table and dropped sidecars give prompts, and metadata does without them", async (page) => {
  const [a, b] = samples.filter(({ prompt }) => prompt);
  const own = samples.find(({ prompt }) => prompt === null);
  await drop(page, [
    { name: a.file, bytes: bytesOf(a.file) },
    { name: b.file, bytes: bytesOf(b.file) },
    { name: own.file, bytes: bytesOf(own.file) },
    { name: a.file.replace(/\.\w+$/, ".txt"), bytes: Buffer.from("a knight, at dusk\n") },
    { name: "prompts.csv", bytes: Buffer.from(`file,prompt\n${b.file},"red, ""very"" red"\nmissing.png,nothing\n`) },
  ]);
  await allScored(page);
  await shownScores(page, a.file, commandLine(a.file, "a knight, at dusk"));
  await shownScores(page, b.file, commandLine(b.file, 'red, "very" red'));
  await shownScores(page, own.file, commandLine(own.file, null));
  assert.match(await page.locator(".banners").textContent(), /missing\.png/);
}, { isEmpty: true });

claim("a picked folder is scored with the prompts that lie in it", async (page) => {
  const picked = join(folder, "picked");
  mkdirSync(join(picked, "deep"), { recursive: true });
  cpSync(join(dist, "samples", "cat.jpg"), join(picked, "deep", "one.jpg"));
  writeFileSync(join(picked, "deep", "one.txt"), "a tiger");
  await page.locator('input[aria-label="Choose a folder"]').setInputFiles(picked);
  await allScored(page);
  await shownScores(page, "one.jpg", commandLine("cat.jpg", "a tiger"));
}, { isEmpty: true, before: (page) => page.addInitScript(() => delete Window.prototype.showDirectoryPicker && delete window.showDirectoryPicker) });

claim("a pasted image is scored", async (page) => {
  await page.evaluate(([base64]) => {
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], "pasted.png", { type: "image/png" }));
    document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
  }, [bytesOf("rocket.png").toString("base64")]);
  await allScored(page);
  await shownScores(page, "pasted.png", commandLine("rocket.png", null));
}, { isEmpty: true });

claim("addresses are fetched, and one that another server refuses says so on its tile while the rest goes on", async (page) => {
  await page.getByRole("button", { name: "Addresses" }).click();
  await page.getByLabel("Addresses, one a line").fill(`${served.elsewhere}/samples/coffee.jpg\n${served.origin}/samples/cat.jpg`);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await allScored(page);
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", null));
  const why = await tile(page, "coffee.jpg").locator(".why").textContent();
  assert.match(why, /CORS|does not allow|allow/i);
}, { isEmpty: true, provoked: [/CORS policy/, /Failed to load resource/] });

claim("a text file named .png says so on its tile, and the next image is scored", async (page) => {
  await drop(page, [{ name: "text.png", bytes: Buffer.from("This is no picture.\n") }, { name: "cat.jpg", bytes: bytesOf("cat.jpg") }]);
  await allScored(page);
  assert.match(await tile(page, "text.png").locator(".why").textContent(), /image|format|decode/i);
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", null));
}, { isEmpty: true });

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
  await page.getByRole("button", { name: "Cancel" }).click();
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

claim("another tier scores all images again with as many patches", async (page) => {
  await allScored(page);
  await page.getByRole("radio", { name: "Fast" }).check();
  await page.waitForFunction(() => document.querySelector("tsp-gallery").collection.items.every(({ status, result }) => status === "scored" && result.crops === 1));
  const { file, prompt } = samples[0];
  await shownScores(page, file, commandLine(file, prompt, "--crops", "1"));
});

claim("a big model is asked for with its size, can be refused, and is loaded later", async (page) => {
  await page.getByRole("dialog", { name: "Download the model?" }).waitFor();
  assert.match(await page.getByRole("dialog", { name: "Download the model?" }).textContent(), /Download 2\d MB\?/);
  await page.keyboard.press("Escape");
  await page.getByText(/The model is not loaded/).waitFor();
  assert.equal(await page.locator("data.value").count(), 0);
  await page.getByRole("button", { name: "Load the model" }).click();
  await page.getByRole("button", { name: "Download", exact: true }).click();
  await allScored(page);
  const { file, prompt } = samples[0];
  await shownScores(page, file, commandLine(file, prompt));

  await page.reload();
  await page.locator(".chip.ready").click();
  const model = page.getByRole("dialog", { name: "Model and device" });
  assert.match(await model.textContent(), /from this browser's cache/);
  await model.getByText(/2\d MB of models/).waitFor();
  await model.getByRole("button", { name: "Delete" }).click();
  await model.getByText(/0\.0 MB of models/).waitFor();
}, { before: async (page) => {
  const files = rebuilt({ bytes: 22e6 });
  await page.route("**/model/*", (route) => route.fulfill({ body: files[route.request().url().split("/").at(-1)] }));
} });

claim("a model from a local folder scores, and says what it lacks", async (page) => {
  await allScored(page);
  const model = join(folder, "vision-only");
  if (!existsSync(model)) execFileSync(process.env.TRAINER, ["export", "--vision-only", "--out", model], { stdio: "pipe" });
  await page.locator(".chip.ready").click();
  await page.getByLabel("Choose a folder with a model").setInputFiles(model);
  await page.getByText(/no text tower/i).first().waitFor();
  await allScored(page);
  const { file, prompt } = samples[0];
  const args = ["score", "--format", "jsonl", "--model", model, "--prompt", prompt, join(dist, "samples", file)];
  await shownScores(page, file, JSON.parse(execFileSync(process.env.TRAINER, args, { encoding: "utf8", stdio: "pipe" })));
});

/** Drops files on the gallery: an event with a real DataTransfer. */
async function drop(page, files) {
  const dataTransfer = await page.evaluateHandle((files) => {
    const transfer = new DataTransfer();
    for (const { name, base64 } of files) transfer.items.add(new File([Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))], name));
    return transfer;
  }, files.map(({ name, bytes }) => ({ name, base64: bytes.toString("base64") })));
  await page.dispatchEvent("tsp-gallery", "drop", { dataTransfer });
}
