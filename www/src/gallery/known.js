// @ts-check
// known.js — which files are there already, so that a folder that is dropped again does not come twice.

/** @typedef {import("./types.js").Work} Work */

export class Known {
  /** @type {Map<string, Set<Work>>} */ #byPath = new Map();

  /** @param {Work} work */
  add(work) {
    const same = this.#byPath.get(work.item.path);
    if (same) same.add(work);
    else this.#byPath.set(work.item.path, new Set([work]));
  }

  /** @param {Work} work */
  delete(work) {
    this.#byPath.get(work.item.path)?.delete(work);
  }

  /** Whether the same file is there as another item, as far as both are opened. @param {Work} work */
  has(work) {
    for (const other of this.#byPath.get(work.item.path) ?? []) if (other !== work && isSame(other, work)) return true;
    return false;
  }
}

/** Path, size and time agree. To ask a file for the last two costs the page 0.2 ms, so the path comes first. @param {Work} a @param {Work} b */
function isSame(a, b) {
  if (a.entry.url || b.entry.url) return a.entry.url === b.entry.url;
  return a.file !== null && b.file !== null && a.file.size === b.file.size && a.file.lastModified === b.file.lastModified;
}
