// @ts-check
// hash.js — SHA-256, where the browser has it.

/**
 * In hex; null on a page without https, where browsers have no cryptography. The wasm module checks a model's shards there too.
 * @param {BufferSource} bytes
 */
export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
