// gallery-device.test.mjs — what scores: device and tier as a person switches them, and a graphics card that is lost on the way.

import assert from "node:assert/strict";
import { allScored, drop, galleryClaims, shownScores, spoken, tile } from "./gallery.mjs";
import { bytesOf, commandLine, inWorker, opening } from "./served.mjs";

const opened = opening();
const claim = galleryClaims(opened);
/** One, as SwiftShader takes seconds for it. */
const FILE = "cat.jpg";
const one = [{ name: FILE, bytes: bytesOf(FILE) }];
/** The devices of both workers are kept where they can be destroyed, as a driver's reset does. */
const LOSE = `const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (...asked) {
    return (self.card = await requestDevice.apply(this, asked));
  };
  self.addEventListener("message", ({ data }) => data.prompt === "lost here" && setTimeout(() => self.card.destroy()));`;
const expected = (prompt, crops) => commandLine(FILE, prompt, "--crops", String(crops));

claim("another tier scores again with as many crops, and one that was there before is not scored twice", async (page) => {
  await drop(page, one);
  for (const [name, crops, requests] of [["Fast", 1, 1], ["Balanced", 5, 2], ["Best", 15, 3], ["Fast", 1, 3], ["Best", 15, 3]]) {
    await page.getByRole("radio", { name }).check();
    await page.waitForFunction((crops) => document.querySelector("tsp-gallery").collection.items.every(({ status, result }) => status === "scored" && result.crops === crops), crops);
    await shownScores(page, FILE, expected(null, crops));
    assert.equal(await page.evaluate(() => window.scoreRequests), requests, name);
  }
}, { query: "?device=cpu&crops=1", isEmpty: true });

claim("the device is switched to WebGPU and back, and each scores as the command line does", async (page) => {
  const chip = page.locator(".chip");
  const dialog = page.getByRole("dialog", { name: "Model and device" });
  const use = async (name, device, backend) => {
    await chip.click();
    await dialog.getByRole("radio", { name }).check();
    await dialog.getByText(device).waitFor();
    await page.keyboard.press("Escape");
    assert.equal(await chip.locator("b").textContent(), backend);
  };
  const prompts = async (prompt, device, tolerance) => {
    await tile(page, FILE).focus();
    await page.keyboard.press("Enter");
    await page.getByLabel("Prompt", { exact: true }).fill(prompt);
    await page.keyboard.press("Enter");
    await allScored(page);
    await page.locator(".detail").getByText(device).waitFor();
    await page.keyboard.press("Escape");
    await shownScores(page, FILE, expected(prompt, 1), tolerance);
  };
  await drop(page, one);
  await allScored(page);
  await shownScores(page, FILE, expected(null, 1));
  await use("WebGPU", /webgpu: \S/, "WebGPU");
  await prompts("a lynx", /webgpu: \S/, "webgpu");
  await use("CPU", /cpu/, "CPU");
  await prompts("a puma", /cpu/, "cpu");
  // A result stands whatever computed it: what was scored is not scored again for another device.
  assert.equal(await page.evaluate(() => window.scoreRequests), 3);
}, { query: "?device=cpu&crops=1", isEmpty: true });

claim("a graphics card that is lost in mid-queue is opened again, then the CPU takes over and the page says so; each image is scored once", async (page) => {
  await page.locator(".chip b", { hasText: "WebGPU" }).waitFor();
  await page.evaluate(() => {
    const gallery = document.querySelector("tsp-gallery");
    window.scored = [];
    gallery.engine.scorer.addEventListener("scored", ({ detail }) => window.scored.push(detail.result.prompt));
  });
  const prompts = { "1.jpg": "before", "2.jpg": "lost here", "3.jpg": "after", "4.jpg": "at last" };
  await drop(page, Object.entries(prompts).flatMap(([name, prompt]) => [
    { name, bytes: bytesOf(FILE) }, { name: name.replace("jpg", "txt"), bytes: Buffer.from(prompt) },
  ]));
  await allScored(page);
  for (const [name, prompt] of Object.entries(prompts)) {
    await shownScores(page, name, expected(prompt, 1), "webgpu");
    assert.doesNotMatch(await spoken(page, name), /failed|waiting/);
  }
  assert.deepEqual(await page.evaluate(() => window.scored), Object.values(prompts), "each once, in order");
  const requests = await page.evaluate(() => window.scoreRequests);
  assert.ok(requests >= 6 && requests <= 8, `${requests} requests: the lost one and at most one beside it were sent to three workers`);
  const banners = await page.locator(".banner p").allTextContents();
  for (const pattern of [/stopped and starts again: the graphics device was lost/, /CPU takes over, as WebGPU stopped: the graphics device was lost/]) {
    assert.ok(banners.some((text) => pattern.test(text)), `no banner says ${pattern}, but: ${banners.join(" | ")}`);
  }
  await page.locator(".chip b", { hasText: "CPU" }).click();
  await page.getByRole("dialog", { name: "Model and device" }).getByText(/WebGPU is not used: WebGPU stopped: the graphics device was lost/).waitFor();
}, {
  query: "?device=webgpu&crops=1",
  isEmpty: true,
  before: (page) => inWorker(page, LOSE, 2),
  // A service worker's own requests could not be changed.
  context: { serviceWorkers: "block" },
  provoked: [/Device was lost|device.*lost|destroyed|panicked/i, /Service Worker registration blocked/],
});
