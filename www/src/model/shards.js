// @ts-check
// shards.js — the shards of a model on a server: finds those in the browser, and downloads the others.

import { aborted, megabytes, messageOf, ScoreError } from "../common/errors.js";
import { ModelCache } from "./cache.js";
import { download, downloadSmall } from "./download.js";
import { sha256 } from "../common/hash.js";
import { MANIFEST, parseManifest } from "./manifest.js";
import { Meter } from "./meter.js";

/**
 * @typedef {import("./manifest.js").Shard} Shard
 *
 * @typedef {{ type: "notice", message: string }} NoticeEvent  a message to show; the work goes on
 * @typedef {{ type: "kept", hash: string, blob: Blob }} Kept  a shard that did not fit into the cache and stays in memory
 * @typedef {import("./meter.js").ProgressEvent | NoticeEvent | Kept} LoadEvent
 */

/** Larger downloads need a confirmation. */
const ASK_ABOVE_BYTES = 20e6;

/** A model on a server. */
export class RemoteModel {
  #missing;
  #store;

  /**
   * Reads the manifest and looks up which shards the browser has. It downloads no shard.
   * @param {string} url  of model.json
   * @param {Map<string, Blob>} kept  shards in memory, by hash
   * @param {(event: LoadEvent) => void} tell
   */
  static async open(url, kept, tell) {
    const cache = await ModelCache.open();
    const bytes = await manifestOf(url, cache);
    const { preprocess, shards } = parseManifest(bytes, url);
    const store = new ShardStore(url, cache, kept, tell);
    const isHere = await Promise.all(shards.map((shard) => store.has(shard)));
    return new RemoteModel({ bytes, preprocess, shards, missing: shards.filter((_, index) => !isHere[index]), store, tell });
  }

  /** @param {{ bytes: Uint8Array<ArrayBuffer>, preprocess: string, shards: Shard[], missing: Shard[], store: ShardStore, tell: (event: LoadEvent) => void }} found */
  constructor({ bytes, preprocess, shards, missing, store, tell }) {
    this.manifest = bytes;
    this.preprocess = preprocess;
    this.shards = shards;
    this.#missing = missing;
    this.#store = store;
    this.tell = tell;
  }

  /** The size of all shards in bytes. */
  get size() {
    return sizeOf(this.shards);
  }

  /** The size of the missing shards in bytes. */
  get toDownload() {
    return sizeOf(this.#missing);
  }

  /** Whether no shard is missing. */
  get isHere() {
    return this.#missing.length === 0;
  }

  /**
   * Downloads the missing shards.
   * @param {(bytes: number) => Promise<boolean>} confirm  called before a download of more than 20 MB
   * @param {AbortSignal} [signal]
   */
  async fetch(confirm, signal) {
    const { toDownload, size } = this;
    if (toDownload > ASK_ABOVE_BYTES && !(await confirm(toDownload))) throw aborted(`the download of ${megabytes(toDownload)} was declined`);
    const meter = new Meter(size, this.isHere, this.tell);
    try {
      meter.skip(size - toDownload);
      for (const shard of this.#missing) {
        signal?.throwIfAborted();
        await this.#store.put(shard, await this.#store.download(shard, (bytes) => meter.add(bytes), signal));
      }
    } finally {
      meter.stop();
    }
  }

  /** @param {Shard} shard */
  read(shard) {
    return this.#store.read(shard);
  }
}

/** Downloads the manifest. Without a network, returns that of the last visit. @param {string} url @param {ModelCache | null} cache */
async function manifestOf(url, cache) {
  const earlier = (await cache?.manifest(url)) ?? null;
  try {
    const bytes = await downloadSmall(url, earlier ? { tries: 1 } : {});
    // Another file that a server sends instead must not replace the manifest in the cache.
    parseManifest(bytes, url);
    await cache?.putManifest(url, bytes).catch(() => {}); // A full disk is reported with the first shard.
    return bytes;
  } catch (error) {
    if (earlier) return earlier;
    throw error;
  }
}

/** Reads the shards of a bundle from memory, cache or network. */
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
   * @param {(event: LoadEvent) => void} tell
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
   * Downloads a shard and checks its hash. A wrong shard is downloaded a second time.
   * @param {Shard} shard
   * @param {(bytes: number) => void} report
   * @param {AbortSignal} [signal]
   */
  async download(shard, report, signal) {
    const url = new URL(shard.name, this.#url).href;
    for (let isSecond = false; ; isSecond = true) {
      let have = 0;
      const bytes = await download(url, shard.size, (now) => {
        report(now - have);
        have = now;
      }, signal);
      const wrong = await whatIsWrong(bytes, shard);
      if (!wrong) return bytes;
      report(-have);
      if (isSecond) throw new ScoreError("model", `${url} ${wrong}, twice: the server does not send what ${MANIFEST} describes; export or upload the model again`);
    }
  }

  /** Writes a shard to the cache. If that fails, keeps it in memory. @param {Shard} shard @param {Uint8Array<ArrayBuffer>} bytes */
  async put({ sha256 }, bytes) {
    try {
      if (!this.#cache) throw new Error("this page may not store files here");
      await this.#cache.putShard(sha256, bytes);
    } catch (error) {
      // Browsers store Blobs outside of the page's memory, and can move them to disk.
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
    // The shard in the cache is damaged, or was deleted meanwhile.
    await this.#cache?.deleteShard(shard.sha256);
    const again = await this.download(shard, () => {});
    await this.put(shard, again);
    return again;
  }
}

/**
 * Compares size and hash with the manifest. Returns the difference, or null.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Shard} shard
 */
export async function whatIsWrong(bytes, shard) {
  if (bytes.length !== shard.size) return `has ${bytes.length} bytes, expected ${shard.size}`;
  const found = await sha256(bytes);
  return found === null || found === shard.sha256 ? null : `has SHA-256 ${found}, expected ${shard.sha256}`;
}

/** @param {Shard[]} shards */
function sizeOf(shards) {
  return shards.reduce((sum, { size }) => sum + size, 0);
}
