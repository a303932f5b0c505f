// @ts-check
// shards.js — the files of a model on a server: which of them are here, and the download of the others.

import { aborted, megabytes, messageOf, ScoreError } from "../engine/errors.js";
import { ModelCache } from "./cache.js";
import { download, downloadSmall } from "./download.js";
import { sha256 } from "./hash.js";
import { MANIFEST, parseManifest } from "./manifest.js";
import { Meter } from "./meter.js";

/**
 * @typedef {import("./manifest.js").Shard} Shard
 * @typedef {import("../engine/protocol.js").ProgressEvent | import("../engine/protocol.js").NoticeEvent | import("../engine/protocol.js").Kept} Told
 */

/** From here on a visitor is asked before the download. */
const ASK_ABOVE_BYTES = 20e6;

/** A model by its address. */
export class RemoteModel {
  #missing;
  #store;

  /**
   * Reads the manifest and looks which shards are here; downloads nothing else.
   * @param {string} url  of model.json
   * @param {Map<string, Blob>} kept  shards by hash that are in memory
   * @param {(told: Told) => void} tell
   */
  static async open(url, kept, tell) {
    const cache = await ModelCache.open();
    const bytes = await manifestOf(url, cache);
    const { preprocess, shards } = parseManifest(bytes, url);
    const store = new ShardStore(url, cache, kept, tell);
    const isHere = await Promise.all(shards.map((shard) => store.has(shard)));
    return new RemoteModel({ bytes, preprocess, shards, missing: shards.filter((_, index) => !isHere[index]), store, tell });
  }

  /** @param {{ bytes: Uint8Array<ArrayBuffer>, preprocess: string, shards: Shard[], missing: Shard[], store: ShardStore, tell: (told: Told) => void }} found */
  constructor({ bytes, preprocess, shards, missing, store, tell }) {
    this.manifest = bytes;
    this.preprocess = preprocess;
    this.shards = shards;
    this.#missing = missing;
    this.#store = store;
    this.tell = tell;
  }

  /** Bytes of all shards. */
  get size() {
    return sizeOf(this.shards);
  }

  /** Bytes of the shards that are not here. */
  get toDownload() {
    return sizeOf(this.#missing);
  }

  get isHere() {
    return this.#missing.length === 0;
  }

  /**
   * Downloads what is not here.
   * @param {(bytes: number) => Promise<boolean>} confirm  asked before more than 20 MB
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
