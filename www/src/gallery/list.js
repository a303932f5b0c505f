// @ts-check
// list.js — the images of a gallery in the order in which they were added. A file is not added twice.

import { Work } from "./work.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Item} Item
 */

export class List {
  /** @type {Map<number, Work>} */ works = new Map();
  /** @type {Item[]} */ items = [];
  /** @type {Map<string, Set<Work>>} */ #byPath = new Map();
  #lastId = 0;

  /** Adds an image. Returns null if the list has its file already. @param {Entry} entry @returns {Work | null} */
  add(entry) {
    const work = new Work(this.#lastId + 1, entry);
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

  /** @param {Iterable<number>} ids @returns {Work[]}  the deleted ones */
  delete(ids) {
    const gone = [...new Set(ids)].flatMap((id) => this.works.get(id) ?? []);
    for (const work of gone) {
      this.works.delete(work.item.id);
      this.#byPath.get(work.item.path)?.delete(work);
    }
    this.items = this.items.filter(({ id }) => this.works.has(id));
    return gone;
  }

  /** Whether another item has the same file, as far as that is known. @param {Work} work */
  isTwice(work) {
    for (const other of this.#byPath.get(work.item.path) ?? []) if (other !== work && isSame(other, work)) return true;
    return false;
  }
}

/** Whether size and time agree, or the addresses. Size and time take 0.2 ms, so the caller compares paths first. @param {Work} a @param {Work} b */
function isSame(a, b) {
  if (a.entry.url || b.entry.url) return a.entry.url === b.entry.url;
  return a.file !== null && b.file !== null && a.file.size === b.file.size && a.file.lastModified === b.file.lastModified;
}
