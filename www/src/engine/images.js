// @ts-check
// images.js — turns all kinds of images that a caller can pass into bytes or an address.

import { addressOf } from "../common/addresses.js";
import { messageOf, ScoreError } from "../common/errors.js";

/**
 * @param {import("./protocol.js").ImageSource} image
 * @returns {Promise<Blob | string>}
 */
export async function readable(image) {
  if (image instanceof Blob) return image;
  if (image instanceof ArrayBuffer || ArrayBuffer.isView(image)) return new Blob([/** @type {BufferSource} */ (image)]);
  if (image instanceof URL || typeof image === "string") return addressOf(image, "an image");
  if (isA(image, "ImageData")) return bitmapOf(/** @type {ImageData} */ (image));
  if (isA(image, "ImageBitmap")) return pngOf(/** @type {ImageBitmap} */ (image));
  if (isA(image, "OffscreenCanvas") || isA(image, "HTMLCanvasElement")) return pngOf(/** @type {HTMLCanvasElement} */ (image));
  if (isA(image, "HTMLImageElement")) return sourceOf(/** @type {HTMLImageElement} */ (image));
  throw new ScoreError("argument", `no image: expected a Blob, an address, an <img>, a canvas, an ImageData, an ImageBitmap or an ArrayBuffer, found ${
    image === null || typeof image !== "object" ? String(image) : Object.prototype.toString.call(image).slice(8, -1)}`);
}

/** `instanceof` for classes that workers and servers may lack. @param {unknown} image @param {string} name */
function isA(image, name) {
  const type = /** @type {any} */ (globalThis)[name];
  return type !== undefined && image instanceof type;
}

/** The address of the file. The size of the image on the page does not change its score. @param {HTMLImageElement} image */
function sourceOf(image) {
  const source = image.currentSrc || image.src;
  if (!source) throw new ScoreError("argument", "the <img> has no src: set it before the call");
  return addressOf(source, "an image");
}

/**
 * Encodes the pixels as a PNG file, without loss. The canvas has the size of the image, so nothing is resized.
 * @param {ImageBitmap | HTMLCanvasElement | OffscreenCanvas} image
 */
async function pngOf(image) {
  const { width, height } = image;
  try {
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d");
    if (!context) throw new Error("there is no memory for a canvas");
    context.drawImage(image, 0, 0);
    return await canvas.convertToBlob({ type: "image/png" });
  } catch (error) {
    const why = error instanceof DOMException && error.name === "SecurityError"
      ? "it holds an image from another site that does not allow its pixels to be read (CORS)" : messageOf(error);
    throw new ScoreError("image", `the ${Object.prototype.toString.call(image).slice(8, -1)} of ${width} × ${height} pixels could not be read: ${why}`);
  }
}

/** The size of the file header and of the header of BMP version 4, which supports alpha. */
const HEADER_BYTES = 14 + 108;

/**
 * Encodes the pixels as a BMP file. A canvas would round the colours of transparent pixels.
 * @param {ImageData} image
 */
function bitmapOf({ width, height, data, colorSpace }) {
  if (colorSpace !== "srgb" || !(data instanceof Uint8ClampedArray)) {
    throw new ScoreError("argument", `the ImageData is ${colorSpace} in ${data.constructor.name}: expected srgb in Uint8ClampedArray`);
  }
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  /** @param {number} at @param {...number} values */
  const put = (at, ...values) => values.forEach((value, index) => header.setInt32(at + 4 * index, value, true));
  header.setUint16(0, 0x424d); // "BM"
  put(2, HEADER_BYTES + data.length, 0, HEADER_BYTES);
  put(14, HEADER_BYTES - 14, width, -height); // A negative height: the upper row comes first.
  header.setUint16(26, 1, true);
  header.setUint16(28, 32, true); // bits per pixel
  put(30, 3, data.length); // Masks for red, green, blue and alpha follow.
  put(54, 0x000000ff, 0x0000ff00, 0x00ff0000, 0xff000000, 0x73524742 /* sRGB */);
  return new Blob([header, /** @type {Uint8ClampedArray<ArrayBuffer>} */ (data)], { type: "image/bmp" });
}
