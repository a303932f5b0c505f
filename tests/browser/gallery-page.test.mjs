// gallery-page.test.mjs — the gallery as a page: reachable by everybody, on every screen, and without a network.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { allScored, galleryClaims, PAGE, shownScores, tile } from "./gallery.mjs";
import { commandLine, dist, opening, www } from "./served.mjs";

const axe = readFileSync(createRequire(join(www, "package.json")).resolve("axe-core/axe.min.js"), "utf8");

const opened = opening();
const claim = galleryClaims(opened);

for (const colorScheme of ["light", "dark"]) {
  claim(`axe finds nothing serious in ${colorScheme} colours`, async (page) => {
    await allScored(page);
    await check(page, "the grid");
    await tile(page, "cat.jpg").focus();
    await page.keyboard.press(" ");
    await page.keyboard.press("k");
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("x");
    await page.keyboard.press(" ");
    await check(page, "a selection");
    await page.keyboard.press("c");
    await page.locator("dialog.compare[open]").waitFor();
    await check(page, "two images side by side");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Enter");
    await page.locator("dialog.detail[open] .parts article").first().waitFor();
    await check(page, "the large view");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await check(page, "the keys");
    await page.keyboard.press("Escape");
    await page.locator(".chip").click();
    await check(page, "the model");
    await page.keyboard.press("Escape");
    await page.evaluate(() => {
      const { collection } = document.querySelector("tsp-gallery");
      collection.remove(collection.items.map(({ id }) => id));
    });
    await page.locator(".drop").waitFor();
    await check(page, "the empty gallery");
  }, { context: { colorScheme, reducedMotion: "reduce" } });
}

for (const [width, height] of [[360, 640], [768, 1024], [3840, 2160]]) {
  claim(`at ${width} pixels nothing is cut off and nothing scrolls sideways`, async (page) => {
    await allScored(page);
    const wide = () => page.evaluate(() => {
      const root = document.querySelector("tsp-gallery").shadowRoot;
      return [...root.querySelectorAll("button, select, input, summary, h1, h2, p, table, [role=gridcell]")].flatMap((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        return width > 1 && element.checkVisibility({ opacityProperty: true }) && (left < -1 || right > innerWidth + 1) ? [`${element.tagName} ${element.className} ${left}–${right}`] : [];
      }).concat(document.documentElement.scrollWidth > innerWidth ? ["the page itself"] : []);
    });
    assert.deepEqual(await wide(), []);
    await tile(page, "cat.jpg").click();
    await page.locator("dialog.detail[open] .parts article").first().waitFor();
    assert.deepEqual(await wide(), []);
  }, { context: { viewport: { width, height } } });
}

claim("after one visit the page scores without a network", async (page, context) => {
  await allScored(page);
  await page.waitForFunction(async () => {
    const [name] = (await caches.keys()).filter((name) => name.startsWith("tsp-mgs-page-"));
    return navigator.serviceWorker.controller && name && (await (await caches.open(name)).match("wasm/cpu-relaxed/tsp_mgs_web_bg.wasm"));
  });
  // The worker takes part from the next visit on.
  await page.reload();
  await allScored(page);
  await context.setOffline(true);
  await page.reload();
  await allScored(page);
  await tile(page, "coffee.jpg").focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Prompt", { exact: true }).fill("a mug");
  await page.keyboard.press("Enter");
  await allScored(page);
  await shownScores(page, "coffee.jpg", commandLine("coffee.jpg", "a mug"));
}, { provoked: [/ERR_INTERNET_DISCONNECTED/] });

claim("a new version waits until it is asked for, and then comes whole", async (page) => {
  await allScored(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  const marked = (text) => text.replace("<title>", "<title>New: ");
  opened.served.answer = (request, response) => {
    const path = request.url.slice(1).split("?")[0];
    if (path !== PAGE && path !== "service-worker.js") return false;
    const text = readFileSync(join(dist, path), "utf8");
    const hash = (body) => createHash("sha256").update(body).digest("hex");
    const page = readFileSync(join(dist, PAGE), "utf8");
    response.setHeader("content-type", path === PAGE ? "text/html" : "text/javascript");
    response.end(path === PAGE ? marked(text) : text.replaceAll(hash(page), hash(marked(page))));
    return true;
  };
  await page.reload();
  assert.doesNotMatch(await page.title(), /New/, "the old version stays whole");
  await page.getByRole("button", { name: "Reload" }).click();
  await page.waitForFunction(() => document.title.startsWith("New"));
  await allScored(page);
});

async function check(page, where) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ target, failureSummary }) => `${target.flat().join(" ")} ${failureSummary}`).join("; ")}`), [], where);
}
