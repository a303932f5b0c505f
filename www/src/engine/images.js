// @ts-check
// images.js — what a caller may hand over as an image, as bytes or an address that the worker can read.

import { messageOf, ScoreError } from "./errors.js";

/**
 * @param {import("./protocol.js").ImageSource} image
 * @returns {Promise<Blob | string>}
 */
export async function readable(image) {
  if (image instanceof Blob) return image;
  if (typeof ImageBitmap !== "undefined" && image instanceof ImageBitmap) return pngOf(image);
  if (image instanceof URL || typeof image === "string") return addressOf(String(image));
  throw new ScoreError("image", `no image: expected a Blob, an ImageBitmap or an address, found ${Object.prototype.toString.call(image).slice(8, -1)}`);
}

/**
 * The same pixels without loss: the canvas has the bitmap's own size, so nothing is resized.
 * @param {ImageBitmap} bitmap
 */
async function pngOf(bitmap) {
  try {
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("there is no memory for a canvas");
    context.drawImage(bitmap, 0, 0);
    return await canvas.convertToBlob({ type: "image/png" });
  } catch (error) {
    throw new ScoreError("image", `the ImageBitmap of ${bitmap.width} × ${bitmap.height} pixels could not be read: ${messageOf(error)}`);
  }
}

/** @param {string} text */
function addressOf(text) {
  try {
    return new URL(text, document.baseURI).href;
  } catch {
    throw new ScoreError("image", `${JSON.stringify(text)} is no address of an image`);
  }
}
