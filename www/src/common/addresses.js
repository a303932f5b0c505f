// @ts-check
// addresses.js — absolute addresses from relative ones.

import { ScoreError } from "./errors.js";

/** What a relative address is relative to: the document's base; in a worker, the address of its script. */
function base() {
  return globalThis.document?.baseURI ?? globalThis.location?.href;
}

/**
 * @param {string | URL} address
 * @param {string} what  what should be there, for the error
 * @returns {string}  absolute
 */
export function addressOf(address, what) {
  try {
    return new URL(address, base()).href;
  } catch {
    throw new ScoreError("argument", `${JSON.stringify(String(address))} is not the address of ${what}`);
  }
}
