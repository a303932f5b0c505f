// screenshots.test.mjs — takes pictures of the gallery and measures them: light and dark, one image large, a phone.
// SCREENSHOTS=FOLDER keeps them.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { allScored, galleryClaims, tile } from "./gallery.mjs";
import { opening, www } from "./served.mjs";

const UPNG = createRequire(join(www, "package.json"))("upng-js");
const folder = process.env.SCREENSHOTS ?? mkdtempSync(join(tmpdir(), "tsp-mgs-"));
mkdirSync(folder, { recursive: true });
const claim = galleryClaims(opening());
/** Of 255: the page's scaling of an image and ours differ at its edges. */
const COLOUR_TOLERANCE = 12;
/** A page in light colours is brighter than this everywhere between the tiles, one in dark colours darker. */
const [LIGHT, DARK] = [225, 35];

after(() => process.env.SCREENSHOTS || rmSync(folder, { recursive: true }));

claim("the gallery is painted in light and in dark colours, and so is one image large", async (page) => {
  await allScored(page);
  await painted(page);
  const light = await take(page, "light");
  await gridIsPainted(page, light, 5);
  assert.ok(groundOf(light) > LIGHT, `the ground has ${groundOf(light)} of 255`);

  await page.emulateMedia({ colorScheme: "dark" });
  const dark = await take(page, "dark");
  await gridIsPainted(page, dark, 5);
  assert.ok(groundOf(dark) < DARK, `the ground has ${groundOf(dark)} of 255`);

  await tile(page, "fish.jpg").focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog.detail[open] .parts article").first().waitFor();
  await page.locator(".detail .stage img").evaluate((image) => image.decode());
  const detail = await take(page, "detail");
  near(meanOf(detail, await shownBox(page.locator(".detail .stage img"))), await sampleColour(page, "fish.jpg", false), "the large image");
  // What the numbers stand on; in light colours it would be bright.
  assert.ok(brightness(meanOf(detail, await page.locator(".detail .right").boundingBox())) < 100);
}, { context: { viewport: { width: 1280, height: 720 }, colorScheme: "light", reducedMotion: "reduce" } });

claim("on a phone the gallery is painted in two columns at least", async (page) => {
  await allScored(page);
  const columns = await page.locator('[role="grid"]').getAttribute("aria-colcount");
  assert.ok(columns >= 2, `${columns} columns`);
  await page.locator('[role="gridcell"]').nth(2).scrollIntoViewIfNeeded();
  await painted(page);
  const phone = await take(page, "phone");
  await gridIsPainted(page, phone, 2);
  assert.equal(phone.width, 2 * 360);
}, { context: { viewport: { width: 360, height: 640 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true, colorScheme: "light", reducedMotion: "reduce" } });

/** Keeps a picture; gives its pixels, and how many of them side by side make one of the page's. */
async function take(page, name) {
  const png = await page.screenshot({ animations: "disabled", path: join(folder, `${name}.png`) });
  const image = UPNG.decode(png);
  const wide = await page.evaluate(() => {
    const scroller = document.querySelector("tsp-gallery").shadowRoot.querySelector(".scroller");
    return [document.documentElement.scrollWidth - innerWidth, scroller.scrollWidth - scroller.clientWidth];
  });
  assert.ok(wide.every((pixels) => pixels <= 0), `${name}: it scrolls sideways by ${wide} pixels`);
  return { width: image.width, height: image.height, pixels: new Uint8Array(UPNG.toRGBA8(image)[0]), scale: image.width / page.viewportSize().width };
}

/** Until each tile has its picture, whatever that shows. */
function painted(page) {
  return page.waitForFunction(() => {
    const probe = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    return [...document.querySelector("tsp-gallery").shadowRoot.querySelectorAll('[role="gridcell"] canvas')].every((canvas) => {
      probe.clearRect(0, 0, 1, 1);
      probe.drawImage(canvas, 0, 0);
      return probe.getImageData(0, 0, 1, 1).data[3] > 0;
    });
  });
}

/** Each tile that is whole on the screen shows its own image, at least so many. */
async function gridIsPainted(page, screen, atLeast) {
  const boxes = await page.locator('[role="gridcell"]').evaluateAll((cells) => cells.flatMap((cell) => {
    const { x, y, width, height, bottom } = cell.querySelector(".picture").getBoundingClientRect();
    const bar = document.querySelector("tsp-gallery").shadowRoot.querySelector(".toolbar").getBoundingClientRect();
    return y >= bar.bottom && bottom <= innerHeight ? [{ file: cell.title, x, y, width, height }] : [];
  }));
  assert.ok(boxes.length >= atLeast, `${boxes.length} tiles are whole on the screen`);
  for (const { file, ...box } of boxes) near(meanOf(screen, box), await sampleColour(page, file, true), file);
}

/** Where an image is that keeps its shape within its element. */
function shownBox(image) {
  return image.evaluate((image) => {
    const { x, y, width, height } = image.getBoundingClientRect();
    const scale = Math.min(width / image.naturalWidth, height / image.naturalHeight);
    const shown = { width: image.naturalWidth * scale, height: image.naturalHeight * scale };
    return { x: x + (width - shown.width) / 2, y: y + (height - shown.height) / 2, ...shown };
  });
}

/** The mean colour of a sample as the browser decodes it; of its middle square if it is cut to a tile. */
function sampleColour(page, file, isSquare) {
  return page.evaluate(async ([file, isSquare]) => {
    const image = await createImageBitmap(await (await fetch(`samples/${file}`)).blob());
    const side = Math.min(image.width, image.height);
    const [width, height] = isSquare ? [side, side] : [image.width, image.height];
    const context = new OffscreenCanvas(width, height).getContext("2d");
    context.drawImage(image, (width - image.width) / 2, (height - image.height) / 2);
    const { data } = context.getImageData(0, 0, width, height);
    const sum = [0, 0, 0];
    data.forEach((value, index) => index % 4 < 3 && (sum[index % 4] += value));
    return sum.map((total) => total / (width * height));
  }, [file, isSquare]);
}

/** @returns {number[]} red, green and blue of a part of the screen, in the page's pixels */
function meanOf({ width, pixels, scale }, box) {
  const sum = [0, 0, 0];
  let count = 0;
  for (let y = Math.ceil(box.y * scale); y < Math.floor((box.y + box.height) * scale); y += 1) {
    for (let x = Math.ceil(box.x * scale); x < Math.floor((box.x + box.width) * scale); x += 1, count += 1) {
      for (const channel of sum.keys()) sum[channel] += pixels[4 * (y * width + x) + channel];
    }
  }
  return sum.map((total) => total / count);
}

/** Beside the tiles, at the page's edge. */
function groundOf(screen) {
  return brightness(meanOf(screen, { x: 2, y: (screen.height / screen.scale) * 0.7, width: 4, height: 20 }));
}

function brightness([red, green, blue]) {
  return 0.299 * red + 0.587 * green + 0.114 * blue;
}

function near(found, expected, what) {
  const off = found.map((value, channel) => Math.abs(value - expected[channel]));
  assert.ok(Math.max(...off) <= COLOUR_TOLERANCE, `${what} is painted in ${found.map(Math.round)}, its file has ${expected.map(Math.round)}`);
}
