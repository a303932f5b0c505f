// @ts-check
// list.js — the images of a gallery in the order added, each file once: a folder that is dropped again does not come twice.

import { workOf } from "./work.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").Work} Work
 */

export class List {
  /** @type {Map<number, Work>} */ works = new Map();
  /** @type {Item[]} */ items = [];
  /** @type {Map<string, Set<Work>>} */ #byPath = new Map();
  #lastId = 0;

  /** Null where the file is there already. @param {Entry} entry @returns {Work | null} */
  add(entry) {
    const work = workOf(this.#lastId + 1, entry);
    if (this.isTwice(work)) return null;
    const { item } = work;
    this.#lastId = item.id;
    this.works.set(item.id, work);
    this.items.push(item);
    const same = this.#byPath.get(item.path);
    if (same) same.add(work);
    else this.#byPath.set(item.path, new Set([work]));
    return work;
  }

  /** @param {Iterable<number>} ids @returns {Work[]}  those that were there */
  delete(ids) {
    const gone = [...new Set(ids)].flatMap((id) => this.works.get(id) ?? []);
    for (const work of gone) {
      this.works.delete(work.item.id);
      this.#byPath.get(work.item.path)?.delete(work);
    }
    this.items = this.items.filter(({ id }) => this.works.has(id));
    return gone;
  }

  /** Whether the same file is there as another item, as far as both are opened. @param {Work} work */
  isTwice(work) {
    for (const other of this.#byPath.get(work.item.path) ?? []) if (other !== work && isSame(other, work)) return true;
    return false;
  }
}

/** Path, size and time agree. To ask a file for the last two costs the page 0.2 ms, so the path comes first. @param {Work} a @param {Work} b */
function isSame(a, b) {
  if (a.entry.url || b.entry.url) return a.entry.url === b.entry.url;
  return a.file !== null && b.file !== null && a.file.size === b.file.size && a.file.lastModified === b.file.lastModified;
}
