// @ts-check
// bundle.js — gets a model together: the manifest first, then each shard from memory, cache, disk or network, checked by its hash.

import { ScoreError } from "../engine/errors.js";
import { filesOfFolder, readFile } from "./folder.js";
import { sha256 } from "./hash.js";
import { MANIFEST, parseManifest } from "./manifest.js";
import { RemoteModel, whatIsWrong } from "./shards.js";

/**
 * @typedef {import("./manifest.js").Shard} Shard
 * @typedef {import("./shards.js").Told} Told
 *
 * @typedef {object} Bundle
 * @property {string | null} hash  of model.json
 * @property {string} preprocess
 * @property {boolean} fromCache
 * @property {(name: string) => Promise<Uint8Array>} read  one of its files, so that no two shards are held at once
 */

/**
 * @param {object} wish
 * @param {string | File[] | FileSystemDirectoryHandle} wish.model
 * @param {Map<string, Blob>} wish.kept  shards by hash that are in memory, as the cache had no room
 * @param {(bytes: number) => Promise<boolean>} wish.confirm
 * @param {(told: Told) => void} wish.tell
 * @returns {Promise<Bundle>}
 */
export async function openBundle({ model, kept, confirm, tell }) {
  return typeof model === "string" ? fromAddress(model, kept, confirm, tell) : fromDisk(model);
}

/**
 * @param {File[] | FileSystemDirectoryHandle} model
 * @returns {Promise<Bundle>}
 */
async function fromDisk(model) {
  const files = await filesOfFolder(model);
  const manifestBytes = await readFile(files, MANIFEST);
  const { preprocess, shards } = parseManifest(manifestBytes, MANIFEST);
  return {
    hash: await sha256(manifestBytes),
    preprocess,
    fromCache: false,
    read: byName(manifestBytes, shards, async (shard) => {
      const bytes = await readFile(files, shard.name);
      const wrong = await whatIsWrong(bytes, shard);
      if (wrong) throw new ScoreError("model", `${shard.name} ${wrong}: the file is damaged; copy the folder again`);
      return bytes;
    }),
  };
}

/**
 * @param {string} url
 * @param {Map<string, Blob>} kept
 * @param {(bytes: number) => Promise<boolean>} confirm
 * @param {(told: Told) => void} tell
 * @returns {Promise<Bundle>}
 */
async function fromAddress(url, kept, confirm, tell) {
  const model = await RemoteModel.open(url, kept, tell);
  const fromCache = model.isHere;
  await model.fetch(confirm);
  return { hash: await sha256(model.manifest), preprocess: model.preprocess, fromCache, read: byName(model.manifest, model.shards, (shard) => model.read(shard)) };
}

/**
 * @param {Uint8Array} manifestBytes
 * @param {Shard[]} shards
 * @param {(shard: Shard) => Promise<Uint8Array>} read
 */
function byName(manifestBytes, shards, read) {
  const known = new Map(shards.map((shard) => [shard.name, shard]));
  /** @type {Bundle["read"]} */
  return async (name) => {
    if (name === MANIFEST) return manifestBytes;
    const shard = known.get(name);
    if (!shard) throw new ScoreError("model", `${name} is no file of this model`);
    return read(shard);
  };
}
