// @ts-check
// cache.js — weights in the browser's Cache Storage: shards by hash, so that a wrong one is never used, and manifests by address,
// so that a page works offline.

const NAME = "tsp-mgs-model-1";

/** Cache Storage needs addresses as keys. Nothing is fetched from them. @param {string} hash */
const shardKey = (hash) => `https://model.invalid/sha256/${hash}`;
/** @param {string} url */
const manifestKey = (url) => `https://model.invalid/manifest?${encodeURIComponent(url)}`;

export class ModelCache {
  #cache;

  /** @param {Cache} cache */
  constructor(cache) {
    this.#cache = cache;
  }

  /** Returns null if the page has no storage: without https, in a sandbox, or if the user has blocked storage. */
  static async open() {
    try {
      return new ModelCache(await caches.open(NAME));
    } catch {
      return null;
    }
  }

  /** @param {string} hash */
  async has(hash) {
    return (await this.#cache.match(shardKey(hash))) !== undefined;
  }

  /** @param {string} hash */
  async shard(hash) {
    return this.#read(shardKey(hash));
  }

  /**
   * @param {string} hash
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async putShard(hash, bytes) {
    await this.#put(shardKey(hash), bytes);
  }

  /** @param {string} hash */
  async deleteShard(hash) {
    await this.#cache.delete(shardKey(hash));
  }

  /** @param {string} url */
  async manifest(url) {
    return this.#read(manifestKey(url));
  }

  /**
   * @param {string} url
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async putManifest(url, bytes) {
    await this.#put(manifestKey(url), bytes);
  }

  /** @param {string} key */
  async #read(key) {
    const kept = await this.#cache.match(key);
    return kept ? new Uint8Array(await kept.arrayBuffer()) : null;
  }

  /**
   * @param {string} key
   * @param {Uint8Array<ArrayBuffer>} bytes
   */
  async #put(key, bytes) {
    await this.#cache.put(key, new Response(bytes, { headers: { "content-length": String(bytes.length) } }));
  }
}

/** Deletes all models in the cache of this page's origin. Loaded scorers keep theirs. */
export async function clearModelCache() {
  await globalThis.caches?.delete(NAME);
}

/** Returns the size of all models in the cache of this page's origin, in bytes. */
export async function modelCacheBytes() {
  if (!(await globalThis.caches?.has(NAME))) return 0;
  const cache = await caches.open(NAME);
  const kept = await Promise.all((await cache.keys()).map((key) => cache.match(key)));
  return kept.reduce((sum, response) => sum + Number(response?.headers.get("content-length") ?? 0), 0);
}
