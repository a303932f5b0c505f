// @ts-check
// dimensions.js — reads the size of an image from the header of its file, so that huge images are not decoded.

/** Enough for the headers of all formats, and for a JPEG with a large preview. */
const HEADER_BYTES = 256 * 1024;
/** The browser decodes the whole image before it resizes it. With 4 bytes per pixel, this limit is 400 MB. */
const MAX_PIXELS = 100e6;

/** Whether decoding could crash the tab. @param {{ width: number, height: number }} size */
export function isTooLarge({ width, height }) {
  return width * height > MAX_PIXELS;
}

/**
 * Reads the size of a PNG, GIF, BMP, WebP or JPEG file, without its EXIF orientation.
 * @param {Blob} blob
 * @returns {Promise<{ width: number, height: number } | null>}  null: unknown
 */
export async function sizeOf(blob) {
  const bytes = new Uint8Array(await blob.slice(0, HEADER_BYTES).arrayBuffer());
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (startsWith(bytes, "\x89PNG")) return { width: view.getUint32(16), height: view.getUint32(20) };
    if (startsWith(bytes, "GIF8")) return { width: view.getUint16(6, true), height: view.getUint16(8, true) };
    if (startsWith(bytes, "BM")) return { width: Math.abs(view.getInt32(18, true)), height: Math.abs(view.getInt32(22, true)) };
    if (startsWith(bytes, "RIFF") && startsWith(bytes.subarray(8), "WEBP")) return webp(bytes.subarray(12), view);
    if (startsWith(bytes, "\xff\xd8")) return jpeg(view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // A RangeError means that the header is incomplete.
  }
  return null;
}

/**
 * Reads the three kinds of headers (RFC 9649): with extensions, lossless, lossy.
 * @param {Uint8Array} chunk
 * @param {DataView} view
 */
function webp(chunk, view) {
  if (startsWith(chunk, "VP8X")) {
    /** @type {(at: number) => number} */
    const uint24 = (at) => view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
    return { width: uint24(24) + 1, height: uint24(27) + 1 };
  }
  if (startsWith(chunk, "VP8L")) {
    const packed = view.getUint32(21, true);
    return { width: (packed & 0x3fff) + 1, height: ((packed >>> 14) & 0x3fff) + 1 };
  }
  return startsWith(chunk, "VP8 ") ? { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff } : null;
}

/** Reads segments up to the start of a frame (ITU-T T.81, B.2.2). @param {DataView} view */
function jpeg(view) {
  for (let at = 2; ;) {
    const marker = view.getUint8(at + 1);
    if (view.getUint8(at) !== 0xff) return null;
    if (marker === 0xff) at += 1; // Fill bytes can precede a marker.
    else if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) return { width: view.getUint16(at + 7), height: view.getUint16(at + 5) };
    else at += 2 + view.getUint16(at + 2);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {string} text
 */
function startsWith(bytes, text) {
  return [...text].every((char, index) => bytes[index] === char.charCodeAt(0));
}
