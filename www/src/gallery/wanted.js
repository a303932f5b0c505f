// @ts-check
// wanted.js — the order in which images are scored: those with a new prompt (the newest first), those on the screen, those in the
// view, and all others.

/** @typedef {import("./work.js").Work} Work */

export class Wanted {
  /** @type {ReadonlySet<number>} */ #visible = new Set();
  /** @type {readonly number[]} */ #shown = [];
  /** @type {Set<Work>} */ #edited = new Set();
  /** All images that were not done when it was made. The first `from` are done by now. null: it must be made again. @type {{ works: Work[], from: number } | null} */ #order = null;

  /** @param {ReadonlyMap<number, Work>} works  in the order in which they were added */
  constructor(works) {
    this.works = works;
  }

  /** Call it after images were added or removed, or wait again. */
  renew() {
    this.#order = null;
  }

  /** @param {readonly number[]} shown */
  setShown(shown) {
    this.#shown = shown;
    this.#order = null;
  }

  /** @param {Iterable<number>} visible */
  setVisible(visible) {
    this.#visible = new Set(visible);
    this.#order = null;
  }

  /** @param {Work} work */
  edit(work) {
    work.isEdited = true;
    this.#edited.delete(work);
    this.#edited.add(work);
  }

  /** Yields the waiting images. It can be started again after each image at little cost: images that are done are skipped once. */
  * [Symbol.iterator]() {
    for (const work of [...this.#edited].reverse()) {
      if (!work.isEdited || this.works.get(work.item.id) !== work) this.#edited.delete(work);
      else if (work.isWaiting) yield work;
    }
    const order = this.#order ??= this.#all();
    while (order.from < order.works.length && order.works[order.from].isDone) order.from += 1;
    for (let index = order.from; index < order.works.length; index += 1) {
      const work = order.works[index];
      if (work.isWaiting && !work.isEdited) yield work;
    }
  }

  #all() {
    /** @type {Set<Work>} */
    const all = new Set();
    /** @type {(id: number) => void} */
    const add = (id) => {
      const work = this.works.get(id);
      if (work && !work.isDone) all.add(work);
    };
    for (const id of this.#shown) if (this.#visible.has(id)) add(id);
    for (const id of this.#shown) add(id);
    for (const id of this.works.keys()) add(id);
    return { works: [...all], from: 0 };
  }
}
