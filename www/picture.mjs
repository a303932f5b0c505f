// picture.mjs — takes the README's picture: the built page with a sample scored.

import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { chromium } from "playwright-core";
import sirv from "sirv";
import UPNG from "upng-js";

/** A palette takes a third of the space: 140 kB instead of 460. */
const COLOURS = 256;
const www = import.meta.dirname;
const server = createServer(sirv(join(www, "dist"), { dev: true })).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless=new", "--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 840 } });
  await page.goto(`http://127.0.0.1:${server.address().port}/?device=cpu`);
  await page.click("text=coffee");
  await page.waitForSelector("text=Scored coffee", { timeout: 120_000 });
  const bottom = await page.$eval("#ask", (ask) => ask.getBoundingClientRect().bottom);
  const taken = await page.screenshot({ animations: "disabled", fullPage: true, clip: { x: 0, y: 0, width: 1280, height: bottom + 20 } });
  const image = UPNG.decode(taken);
  writeFileSync(join(www, "picture.png"), Buffer.from(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, COLOURS)));
} finally {
  await browser.close();
  server.close();
}
