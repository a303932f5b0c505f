// @ts-check
// bundle.js — opens a model bundle: the manifest first, then each shard from memory, cache, disk or network, checked by hash.

import { ScoreError } from "../common/errors.js";
import { filesOfFolder, readFile } from "./folder.js";
import { sha256 } from "../common/hash.js";
import { MANIFEST, parseManifest } from "./manifest.js";
import { RemoteModel, whatIsWrong } from "./shards.js";

/**
 * @typedef {import("./manifest.js").Shard} Shard
 * @typedef {import("./shards.js").LoadEvent} LoadEvent
 *
 * @typedef {object} Bundle
 * @property {string | null} hash  SHA-256 of model.json; null if the browser offers no cryptography
 * @property {string} preprocess
 * @property {boolean} fromCache
 * @property {(name: string) => Promise<Uint8Array>} read  reads one file. The caller reads one after the other, so that memory holds one shard
 */

/**
 * @param {object} wish
 * @param {string | File[] | FileSystemDirectoryHandle} wish.model
 * @param {Map<string, Blob>} wish.kept  shards in memory, by hash
 * @param {(bytes: number) => Promise<boolean>} wish.confirm
 * @param {(event: LoadEvent) => void} wish.tell
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
 * @param {(event: LoadEvent) => void} tell
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
    if (!shard) throw new ScoreError("model", `${name} is not a file of this model`);
    return read(shard);
  };
}
