// @ts-check
// hash.js — SHA-256 by the browser.

/**
 * The SHA-256 in hex. It is null on a page without https, where browsers offer no cryptography. There, the wasm module checks the
 * shards of a model.
 * @param {BufferSource} bytes
 */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
