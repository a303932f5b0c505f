// @ts-check
// decode.js — lets the browser decode images in formats that the wasm module does not read. It runs in the worker.

import { messageOf, ScoreError } from "../common/errors.js";

/** The names of the formats by the brand of an ISO base media file (ISO/IEC 14496-12). @type {Record<string, string>} */
const BRANDS = { avif: "AVIF", avis: "AVIF", heic: "HEIC", heix: "HEIC", hevc: "HEIC", heim: "HEIC", heis: "HEIC", mif1: "HEIF", msf1: "HEIF" };

/**
 * The name of the format if only the browser can decode the file, else null.
 * @param {Uint8Array} bytes  of an image file
 * @returns {string | null}
 */
export function formatOfBrowser(bytes) {
  /** @param {number} first @param {number} end */
  const text = (first, end) => String.fromCharCode(...bytes.subarray(first, end));
  if (text(4, 8) === "ftyp") return BRANDS[text(8, 12)] ?? null;
  return text(0, 2) === "\xff\x0a" || text(4, 12) === "JXL \r\n\x87\n" ? "JPEG XL" : null;
}

/**
 * Decodes an image to sRGB. Its orientation is applied.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} format  its name, for the error
 * @returns {Promise<ImageData>}
 */
export async function pixelsOf(bytes, format) {
  /** @type {ImageBitmap} */
  let bitmap;
  try {
    bitmap = await createImageBitmap(new Blob([bytes]));
  } catch {
    throw new ScoreError("image", `this browser cannot decode the ${format} file: it is damaged, or the browser does not support the format; convert it to PNG`);
  }
  const { width, height } = bitmap;
  try {
    const context = new OffscreenCanvas(width, height).getContext("2d");
    if (!context) throw new Error("there is no memory for a canvas");
    context.drawImage(bitmap, 0, 0);
    return context.getImageData(0, 0, width, height, { colorSpace: "srgb" });
  } catch (error) {
    throw new ScoreError("image", `the ${format} image of ${width} × ${height} pixels could not be read: ${messageOf(error)}`);
  } finally {
    bitmap.close();
  }
}
