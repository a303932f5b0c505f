// @ts-check
// manifest.js — reads the list of shards from model.json. The wasm module reads and checks the rest.

import { ScoreError } from "../common/errors.js";

/**
 * @typedef {{ name: string, size: number, sha256: string }} Shard
 * @typedef {{ preprocess: string, shards: Shard[] }} Manifest
 */

export const MANIFEST = "model.json";

/**
 * @param {Uint8Array} bytes
 * @param {string} where  the address or path of the file, for errors
 * @returns {Manifest}
 */
export function parseManifest(bytes, where) {
  const text = new TextDecoder().decode(bytes);
  let parsed;
  try {
    parsed = JSON.parse(text);
  } catch {
    const begin = text.trimStart().slice(0, 20).replace(/\s+/g, " ");
    throw new ScoreError("model", `${where} is not a ${MANIFEST}: it begins with ${JSON.stringify(begin)}; give the address of a bundle that \`trainer export\` wrote`);
  }
  const { format, preprocess, shards } = parsed ?? {};
  if (format !== "tsp-mgs" || typeof preprocess !== "string" || !Array.isArray(shards) || !shards.every(isShard)) {
    throw new ScoreError("model", `${where} does not describe a tsp-mgs model: expected format "tsp-mgs" with a list of shards; give a bundle that \`trainer export\` wrote`);
  }
  return { preprocess, shards };
}

/** @param {any} shard */
function isShard(shard) {
  return typeof shard?.name === "string" && /^[\w.-]+$/.test(shard.name) && Number.isSafeInteger(shard.size) && shard.size >= 0
    && /^[0-9a-f]{64}$/.test(shard.sha256);
}
