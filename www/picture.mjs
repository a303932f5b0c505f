// picture.mjs — takes the README's pictures: the built gallery with the samples scored, and one of them large.

import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { chromium } from "playwright-core";
import sirv from "sirv";
import UPNG from "upng-js";

/** A palette takes a third of the space. */
const COLOURS = 256;
const SIZE = { width: 1280, height: 720 };
const www = import.meta.dirname;
const server = createServer(sirv(join(www, "dist"), { dev: true })).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless=new", "--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: SIZE, reducedMotion: "reduce" });
  await page.goto(`http://127.0.0.1:${server.address().port}/?device=cpu`);
  await page.getByText("9 images · 9 scored").waitFor({ timeout: 120_000 });
  await take(page, "picture.png");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.locator("[role=gridcell]", { hasText: "fish" }).first().focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog.detail[open] .parts article").first().waitFor();
  await take(page, "picture-detail.png");
} finally {
  await browser.close();
  server.close();
}

async function take(page, name) {
  const image = UPNG.decode(await page.screenshot({ animations: "disabled" }));
  writeFileSync(join(www, name), Buffer.from(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, COLOURS)));
}
