// picture.mjs — takes the README's picture: the built page with a sample scored.

import { spawn } from "node:child_process";
import { join } from "node:path";
import { chromium } from "playwright-core";

const PORT = 8089;
const www = import.meta.dirname;
const server = spawn(join(www, "node_modules/.bin/sirv"), [join(www, "dist"), "--quiet", "--port", PORT], { stdio: "inherit" });
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--headless=new", "--no-sandbox"] });
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } });
  await page.goto(`http://localhost:${PORT}/?device=cpu`, { waitUntil: "networkidle" });
  await page.click("text=coffee");
  await page.waitForSelector("text=Scored coffee", { timeout: 120_000 });
  await page.screenshot({ path: join(www, "picture.png") });
} finally {
  await browser.close();
  server.kill();
}
