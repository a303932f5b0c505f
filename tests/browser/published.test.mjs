// published.test.mjs — published galleries: the page that `trainer score --gallery` writes, and <tsp-gallery src> of the package.
//
// Needs what served.mjs needs.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { commandLine, dist, opening, PATIENCE_MS, Served, trainer, www } from "./served.mjs";

const axe = readFileSync(createRequire(join(www, "package.json")).resolve("axe-core/axe.min.js"), "utf8");
/** What a published gallery must never ask for. */
const HEAVY = /wasm|model|worker|chunk-(client|live)/;
const opened = opening();
let folder, site, rows;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  const images = join(folder, "photos");
  cpSync(join(www, "samples"), images, { recursive: true });
  rmSync(join(images, "README.md"));
  mkdirSync(join(images, "a")); // the first path
  writeFileSync(join(images, "a", "broken.png"), "a text");
  try {
    execFileSync(trainer(), ["score", images, "--device", "cpu", "--crops", "1", "--gallery", join(folder, "site")], { stdio: "pipe" });
  } catch ({ status, stderr }) {
    assert.equal(status, 1, `${stderr}`); // One image is broken.
  }
  site = await Served.open(join(folder, "site"));
  rows = readFileSync(join(folder, "site/scores.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
});

after(() => {
  site?.close();
  if (folder) rmSync(folder, { recursive: true });
});

/** A page in a browser profile of its own, without errors on its console. */
function claim(name, body, { address = () => site.origin, provoked = [], ...context } = {}) {
  test(name, { timeout: PATIENCE_MS }, async () => {
    const profile = await opened.browser.newContext(context);
    const page = await profile.newPage();
    const [seen, asked] = [[], []];
    page.on("console", (message) => ["error", "warning"].includes(message.type()) && seen.push(message.text()));
    page.on("pageerror", (error) => seen.push(`page: ${error.message}`));
    page.on("request", (request) => asked.push(request.url()));
    try {
      opened.served.forget();
      await body(page, { asked, go: () => page.goto(address()) });
    } finally {
      await profile.close();
    }
    assert.deepEqual(seen.filter((line) => !provoked.some((pattern) => pattern.test(line))), []);
  });
}

const names = (page) => page.locator("tsp-gallery figcaption:visible").allTextContents();
const meanOf = ({ perception, alignment }) => {
  const scores = [perception, alignment].filter(Boolean).map(({ score }) => score);
  return scores.length === 0 ? -Infinity : scores.reduce((sum, score) => sum + score, 0) / scores.length;
};
const best = () => rows.toSorted((a, b) => (meanOf(b) === meanOf(a) ? 0 : meanOf(b) - meanOf(a))).map(({ id }) => id);
const ready = (page) => page.getByRole("searchbox").waitFor();

claim("without JavaScript the page shows the images, best first, with their scores", async (page, { go }) => {
  await go();
  assert.deepEqual(await names(page), best());
  const first = page.locator("figure").first();
  const { perception, alignment } = rows.find(({ id }) => id === best()[0]);
  assert.deepEqual(await first.locator(".value").allTextContents(), [perception, alignment].map(({ score }) => score.toFixed(2)));
  const thumbnail = await first.locator("a").getAttribute("href");
  assert.match(thumbnail, /^thumbnails\/[0-9a-f]+\.jpg$/);
  assert.equal((await page.request.get(`${site.origin}/${thumbnail}`)).headers()["content-type"], "image/jpeg");
}, { javaScriptEnabled: false });

claim("the page shows the notes that all scored images have in common, also if the first image has no score", async (page, { go }) => {
  assert.ok(rows[0].error);
  await go();
  await ready(page);
  assert.deepEqual(await page.locator("tsp-gallery .banner:visible").allTextContents(), ["Demo weights, trained on synthetic images."]);
});

claim("the page sorts, searches, filters and opens images, and asks for nothing but its own files", async (page, { go, asked }) => {
  await go();
  await ready(page);
  assert.deepEqual(await names(page), best());
  await page.getByLabel("Sort by").selectOption("Name");
  assert.deepEqual(await names(page), rows.map(({ id }) => id).toSorted());
  await page.getByLabel("Sort by").selectOption("Perception");
  await page.getByRole("button", { name: "Highest first" }).click();
  const scored = rows.filter(({ perception }) => perception).toSorted((a, b) => a.perception.score - b.perception.score).map(({ id }) => id);
  assert.deepEqual((await names(page)).slice(0, scored.length), scored);

  await page.getByRole("slider", { name: /^Perception/ }).fill("3");
  assert.deepEqual(await names(page), scored.filter((name) => rows.find(({ id }) => id === name).perception.score >= 3));
  await page.getByRole("searchbox").fill("no image has these words");
  await page.getByRole("button", { name: "Show all" }).click();
  assert.equal((await names(page)).length, rows.length);
  await page.getByRole("searchbox").fill("ASTRONAUT");
  const found = rows.filter(({ id, prompt }) => `${id} ${prompt}`.toLowerCase().includes("astronaut"));
  assert.equal((await names(page)).length, found.length);
  assert.ok(found.length > 1);

  await page.getByRole("button", { name: /: larger$/ }).first().focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog");
  await dialog.getByText(`2 of ${found.length}`, { exact: true }).waitFor();
  const shown = await dialog.getByRole("heading", { level: 2 }).textContent();
  const row = rows.find(({ id }) => id === shown);
  await dialog.getByText(row.prompt, { exact: true }).waitFor();
  await dialog.getByText(`${row.perception.score.toFixed(2)} of 5`, { exact: true }).waitFor();
  await page.keyboard.press("ArrowLeft");
  await dialog.getByText(`1 of ${found.length}`, { exact: true }).waitFor();
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.querySelector("tsp-gallery").shadowRoot.activeElement?.className), "open");

  assert.deepEqual(asked.filter((url) => !url.startsWith(site.origin) || HEAVY.test(new URL(url).pathname)), []);
});

for (const colorScheme of ["light", "dark"]) {
  claim(`axe finds nothing in ${colorScheme} colours`, async (page, { go }) => {
    const check = async (where) => {
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
      assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.flat().join(" ")} ${failureSummary}`).join("; ")}`), [], where);
    };
    await go();
    await ready(page);
    await check("the grid");
    await page.getByRole("button", { name: /: larger$/ }).first().click();
    await check("one image");
  }, { colorScheme, reducedMotion: "reduce", bypassCSP: true });
}

claim("on a phone nothing scrolls sideways", async (page, { go }) => {
  const wide = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  await go();
  await ready(page);
  assert.ok(await wide() <= 0);
  await page.getByRole("button", { name: /: larger$/ }).first().click();
  assert.ok(await wide() <= 0);
}, { viewport: { width: 360, height: 640 }, hasTouch: true });

/** A page of the package with `table` at "/table" and `body` as its content. */
function packaged(table, body, script = "published.js") {
  return (request, response) => {
    if (request.url === "/table") return response.end(table);
    if (request.url !== "/page.html") return false;
    return response.setHeader("content-type", "text/html").end(`<!doctype html><html lang="en"><title>Page</title><link rel="icon" href="icon.svg">${body}<script type="module" src="/${script}"></script>`);
  };
}
const inPackage = { address: () => `${opened.served.origin}/page.html` };
const line = (row) => `${JSON.stringify(row)}\n`;

for (const script of ["published.js", "cdn.js"]) {
  claim(`${script} shows a table as text, its errors as such, and no address of another kind`, async (page, { go, asked }) => {
    const evil = "<img src=x onerror=alert(1)>";
    opened.served.answer = packaged(
      line({ id: evil, path: "javascript:alert(1)", prompt: evil, notes: [evil], perception: { score: 3 } })
        + line({ id: "b.png", path: "data:image/svg+xml,<svg/>", perception: { score: 2 } }) + "no JSON\n"
        + line({ id: "c.png", path: "samples/cat.jpg", perception: { score: 5 }, alignment: { score: 4 } })
        + line({ id: "d.png", path: null, error: "not an image" }),
      `<tsp-gallery src="/table"><p>before</p></tsp-gallery>`, script);
    await go();
    await ready(page);
    assert.deepEqual(await names(page), ["c.png", evil, "b.png", "d.png"]);
    assert.equal(await page.getByText("before").isVisible(), false);
    await page.getByText("Not an image.").waitFor();
    await page.getByText("Skipped, because it is not a JSON object: line 3.").waitFor();
    const images = await page.locator("tsp-gallery img").evaluateAll((all) => all.map(({ src }) => src));
    assert.deepEqual(images, [`${opened.served.origin}/samples/cat.jpg`]);
    assert.deepEqual(asked.filter((url) => HEAVY.test(new URL(url).pathname)), []);
  }, inPackage);
}

claim("a CSV table is shown too", async (page, { go }) => {
  opened.served.answer = packaged('id,path,perception,alignment,prompt,prompt_source,notes,error\na.png,samples/cat.jpg,4.5,,"a ""cat"", asleep",sidecar,one; two,\nb.png,,,,,,,broken\n', `<tsp-gallery src="/table"></tsp-gallery>`);
  await go();
  await ready(page);
  assert.deepEqual(await names(page), ["a.png", "b.png"]);
  await page.getByRole("button", { name: "a.png: larger" }).click();
  await page.getByRole("dialog").getByText('a "cat", asleep').waitFor();
}, inPackage);

claim("of thousands of rows those near the screen are drawn", async (page, { go }) => {
  const count = 5000;
  opened.served.answer = packaged(Array.from({ length: count }, (_, index) => line({ id: `${index}.png`, path: "samples/cat.jpg", perception: { score: 5 - index / 1000 } })).join(""), `<tsp-gallery src="/table"></tsp-gallery>`);
  await go();
  await page.getByText("5,000 images").waitFor();
  const drawn = async () => (await names(page)).length;
  const before = await drawn();
  assert.ok(before > 0 && before < 500, `${before} tiles`);
  await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
  await page.waitForFunction((before) => document.querySelector("tsp-gallery").shadowRoot.querySelectorAll("figure").length > before, before);
}, inPackage);

claim("a table that is not there is an error, and what the page brought stays", async (page, { go }) => {
  opened.served.answer = packaged("", `<tsp-gallery src="/missing.jsonl"><p>before</p></tsp-gallery>`);
  await go();
  await page.getByRole("alert").getByText("404").waitFor();
  assert.ok(await page.getByText("before").isVisible());
}, { ...inPackage, provoked: [/404/] });

claim("with `live` a visitor may score what has no score", async (page, { go, asked }) => {
  const prompt = "a cat on a sofa";
  opened.served.answer = packaged(line({ id: "a.png", path: "samples/coffee.jpg", perception: { score: 1 } }) + line({ id: "b.png", path: "samples/cat.jpg", prompt }),
    `<tsp-gallery src="/table" live device="cpu" crops="1"></tsp-gallery>`);
  await go();
  await ready(page);
  assert.deepEqual(asked.filter((url) => HEAVY.test(new URL(url).pathname)), [], "nothing is loaded before it is asked for");
  await page.getByRole("button", { name: "Score 1 image on this device" }).click();
  await page.getByText("1 of 1 image scored").waitFor();
  const { perception, alignment } = commandLine("cat.jpg", prompt, "--crops", "1");
  const shown = await page.locator("li", { hasText: "b.png" }).locator(".value").allTextContents();
  shown.forEach((value, index) => assert.ok(Math.abs(Number(value) - [perception, alignment][index].score) < 0.01, value));
  assert.equal(shown.length, 2);
}, inPackage);

test("the code of a published gallery is small", () => {
  const codeOf = (name) => {
    const code = readFileSync(join(dist, name), "utf8");
    return code + [...code.matchAll(/(?:from|import)\s?"\.\/([\w.-]+)"/g)].map(([, file]) => codeOf(file)).join("");
  };
  assert.ok(codeOf("published.js").length < 40_000);
});
