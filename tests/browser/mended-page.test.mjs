// mended-page.test.mjs — faults of the gallery that a reading of its code found, each as a person would have met it.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { allScored, drop, galleryClaims, shownScores, tile } from "./gallery.mjs";
import { bytesOf, commandLine, dist, FAILED_REQUEST, inWorker, opening } from "./served.mjs";

const opened = opening();
const claim = galleryClaims(opened);
const quick = { query: "?device=cpu&crops=1" };

const marks = (page) => page.evaluate(() =>
  Object.fromEntries(document.querySelector("tsp-gallery").collection.items.flatMap(({ name, mark }) => (mark === null ? [] : [[name, mark]]))));

claim("after 'Show all' the list of what is shown says so, whatever was chosen before", async (page) => {
  await allScored(page);
  const show = page.getByLabel("Show", { exact: true });
  const shown = () => show.evaluate((select) => select.selectedOptions[0].textContent);
  for (const label of ["Kept", "All", "Rejected"]) await show.selectOption({ label });
  await page.getByRole("button", { name: "Show all" }).click();
  await tile(page, "cat.jpg").waitFor();
  assert.equal(await shown(), "All");
}, quick);

claim("what a filter hides is not touched by what is done to the selection", async (page) => {
  await allScored(page);
  for (const file of ["cat.jpg", "fish.jpg"]) {
    await tile(page, file).focus();
    await page.keyboard.press(" ");
  }
  await page.getByText("2 images selected").waitFor();
  await page.getByLabel("Search prompts and names").fill("cat.jpg");
  await page.getByText("1 image selected").waitFor();
  await page.getByRole("button", { name: "Reject", exact: true }).click();
  assert.deepEqual(await marks(page), { "cat.jpg": "reject" });
}, quick);

claim("side by side, the keys for marks mark neither image", async (page) => {
  await allScored(page);
  for (const file of ["cat.jpg", "fish.jpg"]) {
    await tile(page, file).focus();
    await page.keyboard.press(" ");
  }
  await page.keyboard.press("c");
  await page.locator("dialog.compare[open]").waitFor();
  await page.keyboard.press("k");
  await page.keyboard.press("Escape");
  await page.locator("dialog.compare").waitFor({ state: "detached" });
  assert.deepEqual(await marks(page), {});
  await page.keyboard.press("k");
  assert.deepEqual(await marks(page), { "cat.jpg": "keep", "fish.jpg": "keep" });
}, quick);

claim("keys reach the gallery while nothing has the focus", async (page) => {
  await allScored(page);
  assert.equal(await page.evaluate(() => document.activeElement === document.body), true);
  await page.keyboard.press("/");
  await page.keyboard.type("fish");
  assert.equal(await page.getByLabel("Search prompts and names").inputValue(), "fish");
}, quick);

claim("an address that holds the image itself is scored under the page's own policy", async (page) => {
  await page.getByRole("button", { name: "Addresses" }).click();
  await page.getByLabel("Addresses, one per line").fill(`data:image/jpeg;base64,${bytesOf("cat.jpg").toString("base64")}`);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await tile(page, "image in the address").waitFor();
  await allScored(page);
  await shownScores(page, "image in the address", commandLine("cat.jpg", null, "--crops", "1"));
}, { ...quick, isEmpty: true });

claim("an image that is too large to be shown is not decoded for the large view, and says so", async (page) => {
  const huge = Buffer.from(readFileSync(join(dist, "samples/rocket.png")));
  for (const at of [16, 20]) huge.writeUInt32BE(20_000, at);
  await drop(page, [{ name: "huge.png", bytes: huge }]);
  await allScored(page);
  await tile(page, "huge.png").click();
  await page.getByText("The image has 20000 × 20000 pixels, which is too large to show").waitFor();
  assert.equal(await page.locator("dialog.detail .stage img").count(), 0);
}, { ...quick, isEmpty: true });

claim("an image that could not be fetched has its picture once it can", async (page) => {
  let isDown = true;
  opened.served.answer = (request, response) => {
    if (!isDown || request.url !== "/samples/cat.jpg") return false;
    response.writeHead(503).end();
    return true;
  };
  await page.getByRole("button", { name: "Addresses" }).click();
  await page.getByLabel("Addresses, one per line").fill("samples/cat.jpg");
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByText(/the server answered 503/).first().waitFor();
  const isPainted = () => tile(page, "cat.jpg").locator("canvas").evaluate((canvas) =>
    canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0));
  assert.equal(await isPainted(), false);
  isDown = false;
  await page.getByRole("button", { name: "Retry failed images" }).click();
  await allScored(page);
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", null, "--crops", "1"));
  await page.waitForFunction(() => {
    const canvas = document.querySelector("tsp-gallery").shadowRoot.querySelector('[title="cat.jpg"] canvas');
    return canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value > 0);
  });
}, { ...quick, isEmpty: true, provoked: [...FAILED_REQUEST, /willReadFrequently/] });

claim("attributes that change later take effect", async (page) => {
  await allScored(page);
  await page.evaluate(() => document.querySelector("tsp-gallery").setAttribute("crops", "5"));
  await page.waitForFunction(() => {
    const { items } = document.querySelector("tsp-gallery").collection;
    return items.every(({ status, result }) => status === "scored" && result.crops === 5);
  });
  const { prompt } = JSON.parse(readFileSync(join(dist, "samples/samples.json"))).find(({ file }) => file === "cat.jpg");
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", prompt, "--crops", "5"));
  assert.equal(await page.getByRole("radio", { name: "Balanced" }).isChecked(), true);
}, quick);

claim("an unknown device in the address is said, not ignored", async (page) => {
  await page.getByText('Unknown device "gpu": expected auto, webgpu, cpu.').waitFor();
}, { query: "?device=gpu" });

claim("samples may lie in folders", async (page) => {
  await allScored(page);
  await shownScores(page, "a cat #1.jpg", commandLine("cat.jpg", "a cat", "--crops", "1"));
}, {
  ...quick,
  before: async () => {
    opened.served.answer = (request, response) => {
      if (request.url === "/samples/samples.json") return response.end(JSON.stringify([{ file: "sub folder/a cat #1.jpg", prompt: "a cat" }]));
      return request.url === "/samples/sub%20folder/a%20cat%20%231.jpg" && response.end(bytesOf("cat.jpg"));
    };
  },
});

claim("a host that redirects index.html to its folder serves the page on the next visits, too", async (page) => {
  await page.goto(`${opened.served.origin}/?device=cpu&crops=1`);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  await page.reload();
  await allScored(page);
}, {
  ...quick,
  before: async () => {
    opened.served.answer = (request, response) => {
      const { pathname, search } = new URL(request.url, opened.served.origin);
      return pathname === "/index.html" && response.writeHead(301, { location: `/${search}` }).end();
    };
  },
});

claim("small pictures that do not come keep no other waiting, and none ends with another tile's request", async (page) => {
  const widths = await page.evaluate(async (base64) => {
    const Thumbnails = document.querySelector("tsp-gallery").thumbnails.constructor;
    const image = await (await fetch(`data:image/jpeg;base64,${base64}`)).blob();
    let asked = 0;
    // Of image 5, the first request waits until it is given up; images 1 to 4 never come.
    const collection = { blob: (id, signal) => (id === 6 || (id === 5 && ++asked > 1) ? Promise.resolve(image) : new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    })) };
    const thumbnails = new Thumbnails({ collection, side_px: 64 });
    const first = new AbortController();
    for (const id of [1, 2, 3, 4]) thumbnails.get(id);
    const given = [thumbnails.get(5, { signal: first.signal }).catch(({ name }) => name), thumbnails.get(5), thumbnails.get(6)];
    setTimeout(() => first.abort(), 0);
    return Promise.all(given.map(async (picture) => (await picture).width ?? picture));
  }, bytesOf("cat.jpg").toString("base64"));
  assert.deepEqual(widths, ["AbortError", 64, 64]);
}, { ...quick, isEmpty: true });

claim("a scorer that stopped says so until that is dismissed, and tells again what runs", async (page) => {
  await page.waitForFunction(() => window.ready?.length === 2);
  await allScored(page);
  assert.deepEqual(await page.evaluate(() => window.ready), ["cpu", "cpu"]);
  await page.getByText(/^The scorer stopped and starts again: .*unreachable\.$/).first().waitFor();
  await page.getByRole("button", { name: "Dismiss" }).click();
  await page.locator(".banner", { hasText: "starts again" }).waitFor({ state: "detached" });
}, {
  ...quick,
  context: { serviceWorkers: "block" },
  provoked: [/Service Worker registration blocked/],
  before: async (page) => {
    await page.addInitScript(() => addEventListener("tsp-ready", ({ detail }) => (window.ready ??= []).push(detail.backend)));
    await inWorker(page, `const { postMessage } = self;
      self.postMessage = (message) => {
        postMessage.call(self, message);
        if (message.type === "result") setTimeout(() => { throw new WebAssembly.RuntimeError("unreachable"); });
      };`);
  },
});
