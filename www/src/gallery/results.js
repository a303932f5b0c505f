// @ts-check
// results.js — stores results, marks and typed prompts in IndexedDB. Without IndexedDB, they stay in memory.

import { openDB } from "idb";

import { sha256 } from "../common/hash.js";
import { camelCase } from "../engine/names.js";

/**
 * @typedef {import("./types.js").Result} Result
 * @typedef {import("./types.js").Provenance} Provenance
 *
 * @typedef {object} Stored  a result
 * @property {string} key
 * @property {number} at  the time of writing, in milliseconds since 1970
 * @property {Result} result
 * @property {Provenance} provenance
 *
 * @typedef {object} Note  the mark and the typed prompt of an image
 * @property {string} hash  of the image's bytes
 * @property {number} at
 * @property {import("./types.js").Mark} mark
 * @property {string | null} prompt  typed
 *
 * @typedef {import("idb").DBSchema & {
 *   results: { key: string, value: Stored, indexes: { at: number } },
 *   notes: { key: string, value: Note },
 * }} Schema
 * @typedef {import("idb").IDBPDatabase<Schema>} Database
 */

/** Increase it when `Result` or a key changes its shape. Then earlier data is deleted. */
const VERSION = 1;
/** A result takes about 5 kB, so this is 1 GB. */
const LIMIT = 200_000;
/** The share of the results that is deleted when the limit is reached. Each deletion needs a pass over them. */
const SHARE_TO_FORGET = 0.05;
/** The time to wait for a database that another tab blocks. */
const PATIENCE_MS = 3_000;

export class Results {
  /** @type {Database | null} */ #database = null;
  /** Data that the database has not stored yet, or cannot store. */
  #memory = { results: /** @type {Map<string, Stored>} */ (new Map()), notes: /** @type {Map<string, Note>} */ (new Map()) };
  #count = 0;
  #isFull = false;
  /** Whether earlier visits stored anything. */
  hasEarlier = false;
  #limit;
  #tell;

  /**
   * Opens the store. It never rejects: without a database, results stay in memory, and `onNotice` is called with the reason.
   * @param {{ name?: string, limit?: number, onNotice?: (message: string) => void }} [options]
   *   `limit`: the number of results that are kept, the newest ones
   */
  static async open({ name = "tsp-mgs", limit = LIMIT, onNotice = () => {} } = {}) {
    const results = new Results(limit, onNotice);
    await results.#open(name);
    return results;
  }

  /**
   * @param {number} limit
   * @param {(message: string) => void} tell
   */
  constructor(limit, tell) {
    this.#limit = limit;
    this.#tell = tell;
  }

  /** @param {string} name */
  async #open(name) {
    let isLate = false;
    try {
      const opening = /** @type {Promise<Database>} */ (openDB(name, VERSION, {
        upgrade(database) {
          for (const store of [...database.objectStoreNames]) database.deleteObjectStore(store);
          database.createObjectStore("results", { keyPath: "key" }).createIndex("at", "at");
          database.createObjectStore("notes", { keyPath: "hash" });
        },
        // A newer version of the page is open in another tab, and waits for this one.
        blocking: () => this.#lose("a newer version of this page is open in another tab; reload this one"),
        terminated: () => this.#lose("the browser has closed the database"),
      }));
      opening.then((database) => isLate && database.close(), () => {});
      this.#database = await inTime(opening);
      const [results, notes] = await inTime(Promise.all([this.#database.count("results"), this.#database.count("notes")]));
      this.#count = results;
      this.hasEarlier = results + notes > 0;
    } catch (error) {
      isLate = true;
      this.#lose(reasonOf(error));
    }
  }

  /** Continues in memory. @param {string} why */
  #lose(why) {
    this.#database?.close();
    this.#database = null;
    this.#tell(`results cannot be kept for the next visit: ${why}`);
  }

  /** How many results are kept. */
  async count() {
    return this.#memory.results.size + (await this.#read((database) => database.count("results")) ?? 0);
  }

  /** @param {string} key @returns {Promise<Stored | null>} */
  async get(key) {
    const found = this.#memory.results.get(key) ?? await this.#read((database) => database.get("results", key));
    // A damaged row is ignored.
    if (typeof found?.result?.width !== "number" || typeof found.provenance?.dtype !== "string") return null;
    return { ...found, result: camelCase(found.result) }; // Earlier versions wrote snake_case.
  }

  /**
   * @param {string} key
   * @param {Result} result
   * @param {Provenance} provenance
   */
  async put(key, result, provenance) {
    const stored = { key, at: Date.now(), result, provenance };
    this.#memory.results.set(key, stored); // Until it is written it can be asked for already.
    if (await this.#write((database) => database.put("results", stored))) {
      this.#memory.results.delete(key);
      this.#count += 1;
    }
    if (this.#count > this.#limit) await this.#write(() => this.#forget());
    for (const oldest of this.#memory.results.keys()) {
      if (this.#memory.results.size <= this.#limit) break;
      this.#memory.results.delete(oldest);
    }
  }

  /** What a person said of an image on an earlier visit. @param {string} hash @returns {Promise<Note | null>} */
  async note(hash) {
    return this.#memory.notes.get(hash) ?? await this.#read((database) => database.get("notes", hash)) ?? null;
  }

  /**
   * @param {string} hash
   * @param {import("./types.js").Mark} mark
   * @param {string | null} prompt
   */
  async putNote(hash, mark, prompt) {
    const note = { hash, at: Date.now(), mark, prompt };
    this.#memory.notes.set(hash, note);
    if (await this.#write((database) => database.put("notes", note)) && this.#memory.notes.get(hash) === note) this.#memory.notes.delete(hash);
  }

  /** Forgets all results, marks and typed prompts. */
  async clear() {
    this.#memory.results.clear();
    this.#memory.notes.clear();
    await this.#write((database) => Promise.all([database.clear("results"), database.clear("notes")]));
    this.#count = 0;
    this.#isFull = this.hasEarlier = false;
  }

  close() {
    this.#database?.close();
    this.#database = null;
  }

  /** @template T @param {(database: Database) => Promise<T>} ask @returns {Promise<T | undefined>} */
  async #read(ask) {
    const database = this.#database;
    if (!database) return undefined;
    try {
      return await ask(database);
    } catch (error) {
      if (database === this.#database) this.#lose(reasonOf(error));
      return undefined;
    }
  }

  /** Returns whether the data was written. @param {(database: Database) => Promise<unknown>} write */
  async #write(write) {
    const database = this.#database;
    if (!database || this.#isFull) return false;
    try {
      await write(database);
      return true;
    } catch (error) {
      if (database !== this.#database) return false;
      if (!isQuota(error)) this.#lose(reasonOf(error));
      else if (await this.#hasRoomNow(write)) return true;
      return false;
    }
  }

  /** Deletes old results from a full disk and writes again. If that fails, new results stay in memory. @param {(database: Database) => Promise<unknown>} write */
  async #hasRoomNow(write) {
    try {
      await this.#forget();
      if (this.#database) await write(this.#database);
      return this.#database !== null;
    } catch {
      if (this.#isFull) return false; // Another write has reported it meanwhile.
      this.#isFull = true;
      this.#tell("the browser's storage is full: new results are lost when this page is closed; free some disk space to keep them");
      return false;
    }
  }

  /** Deletes the oldest results. */
  async #forget() {
    if (!this.#database) return;
    this.#count = await this.#database.count("results"); // Other tabs write, too, and a repeated key does not add a result.
    const transaction = this.#database.transaction("results", "readwrite");
    let surplus = Math.max(this.#count - this.#limit, 0) + Math.ceil(Math.min(this.#count, this.#limit) * SHARE_TO_FORGET);
    this.#count -= surplus;
    for (let cursor = await transaction.store.index("at").openCursor(); cursor && surplus > 0; surplus -= 1) {
      await cursor.delete();
      cursor = await cursor.continue();
    }
    await transaction.done;
  }
}

/**
 * Returns the key of a result: a hash of image, prompt and settings. It does not depend on the device, because the results of all
 * devices agree within the tolerance of the tests.
 * @param {string} hash  of the image's bytes
 * @param {string | null} prompt  the argument of the scorer
 * @param {import("./types.js").ScorerInfo} info
 */
export function keyOf(hash, prompt, { modelHash, crops, preprocessing }) {
  return sha256(new TextEncoder().encode(JSON.stringify([hash, prompt, modelHash, crops, preprocessing])));
}

/** @template T @param {Promise<T>} answer @returns {Promise<T>} */
function inTime(answer) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("another tab blocks the browser's database; close it and reload")), PATIENCE_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

/** @param {unknown} error */
function isQuota(error) {
  return error instanceof DOMException && error.name === "QuotaExceededError";
}

/** @param {unknown} error */
function reasonOf(error) {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "VersionError") return "a newer version of this page has stored them; reload to get it";
  if (error.name === "SecurityError" || error.name === "InvalidStateError") return "this browser does not let the page store data";
  return error.message || error.name;
}
