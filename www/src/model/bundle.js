// @ts-check
// bundle.js — gets a model together: the manifest first, then each shard from memory, cache, disk or network, checked by its hash.

import { megabytes, messageOf, ScoreError } from "../engine/errors.js";
import { ModelCache } from "./cache.js";
import { download, downloadSmall } from "./download.js";
import { filesOfFolder, readFile } from "./folder.js";
import { sha256 } from "./hash.js";
import { MANIFEST, parseManifest } from "./manifest.js";
import { Meter } from "./meter.js";

/**
 * @typedef {import("./manifest.js").Shard} Shard
 * @typedef {import("../engine/protocol.js").ProgressEvent | import("../engine/protocol.js").NoticeEvent | import("../engine/protocol.js").Kept} Told
 *
 * @typedef {object} Bundle
 * @property {string | null} hash  of model.json
 * @property {string} preprocess
 * @property {boolean} fromCache
 * @property {(name: string) => Promise<Uint8Array>} read  one of its files, so that no two shards are held at once
 */

/** From here on a visitor is asked before the download. */
const ASK_ABOVE_BYTES = 20e6;

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
  const cache = await ModelCache.open();
  const manifestBytes = await manifestOf(url, cache);
  const { preprocess, shards } = parseManifest(manifestBytes, url);
  const store = new ShardStore(url, cache, kept, tell);

  const isHere = await Promise.all(shards.map((shard) => store.has(shard)));
  const missing = shards.filter((_, index) => !isHere[index]);
  const fromCache = missing.length === 0;
  const toDownload = sizeOf(missing);
  if (toDownload > ASK_ABOVE_BYTES && !(await confirm(toDownload))) {
    throw new ScoreError("aborted", `the download of ${megabytes(toDownload)} was declined`);
  }
  const meter = new Meter(sizeOf(shards), fromCache, tell);
  meter.skip(sizeOf(shards) - toDownload);
  for (const shard of missing) await store.put(shard, await store.download(shard, (bytes) => meter.add(bytes)));
  return { hash: await sha256(manifestBytes), preprocess, fromCache, read: byName(manifestBytes, shards, (shard) => store.read(shard)) };
}

/** The newest manifest; without a network the one from the last visit. @param {string} url @param {ModelCache | null} cache */
async function manifestOf(url, cache) {
  const earlier = (await cache?.manifest(url)) ?? null;
  try {
    const bytes = await downloadSmall(url, earlier ? { tries: 1 } : {});
    // A page that a server sends instead of the file must not replace what worked.
    parseManifest(bytes, url);
    await cache?.putManifest(url, bytes).catch(() => {}); // A full disk is told with the first shard.
    return bytes;
  } catch (error) {
    if (earlier) return earlier;
    throw error;
  }
}

/** The shards of one bundle, wherever they are. */
class ShardStore {
  #url;
  #cache;
  #kept;
  #tell;
  #isFullTold = false;

  /**
   * @param {string} url  of model.json
   * @param {ModelCache | null} cache
   * @param {Map<string, Blob>} kept
   * @param {(told: Told) => void} tell
   */
  constructor(url, cache, kept, tell) {
    this.#url = url;
    this.#cache = cache;
    this.#kept = kept;
    this.#tell = tell;
  }

  /** @param {Shard} shard */
  async has({ sha256 }) {
    return this.#kept.has(sha256) || (await this.#cache?.has(sha256)) === true;
  }

  /**
   * Downloads a shard and checks it; a wrong one is fetched once more.
   * @param {Shard} shard
   * @param {(bytes: number) => void} report
   */
  async download(shard, report) {
    const url = new URL(shard.name, this.#url).href;
    for (let isSecond = false; ; isSecond = true) {
      let have = 0;
      const bytes = await download(url, shard.size, (now) => {
        report(now - have);
        have = now;
      });
      const wrong = await whatIsWrong(bytes, shard);
      if (!wrong) return bytes;
      report(-have);
      if (isSecond) throw new ScoreError("model", `${url} ${wrong}, twice: the server does not send what ${MANIFEST} describes; export or upload the model again`);
    }
  }

  /** Keeps a shard for the next visit, or at least for this one. @param {Shard} shard @param {Uint8Array<ArrayBuffer>} bytes */
  async put({ sha256 }, bytes) {
    try {
      if (!this.#cache) throw new Error("this page may not store files here");
      await this.#cache.putShard(sha256, bytes);
    } catch (error) {
      // The browser holds a Blob outside of the page's memory, on disk if need be.
      const blob = new Blob([bytes]);
      this.#kept.set(sha256, blob);
      this.#tell({ type: "kept", hash: sha256, blob });
      if (this.#isFullTold) return;
      this.#isFullTold = true;
      const isFull = error instanceof DOMException && error.name === "QuotaExceededError";
      const why = isFull ? "the browser's storage for this page is full" : `the browser does not keep it (${messageOf(error)})`;
      this.#tell({ type: "notice", message: `${why}: the model stays in memory and is downloaded again at the next visit${isFull ? "; free disk space, or delete older models" : ""}` });
    }
  }

  /** @param {Shard} shard */
  async read(shard) {
    const kept = this.#kept.get(shard.sha256);
    if (kept) return new Uint8Array(await kept.arrayBuffer());
    const bytes = await this.#cache?.shard(shard.sha256);
    if (bytes && !(await whatIsWrong(bytes, shard))) return bytes;
    // Damaged on disk, or deleted since it was looked for.
    await this.#cache?.deleteShard(shard.sha256);
    const again = await this.download(shard, () => {});
    await this.put(shard, again);
    return again;
  }
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

/**
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Shard} shard
 */
async function whatIsWrong(bytes, shard) {
  if (bytes.length !== shard.size) return `has ${bytes.length} bytes, expected ${shard.size}`;
  const found = await sha256(bytes);
  return found === null || found === shard.sha256 ? null : `has SHA-256 ${found}, expected ${shard.sha256}`;
}

/** @param {Shard[]} shards */
function sizeOf(shards) {
  return shards.reduce((sum, { size }) => sum + size, 0);
}
