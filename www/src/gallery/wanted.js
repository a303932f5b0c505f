// @ts-check
// wanted.js — in which order images are wanted: just edited (the last one before others), on the screen, in the view, the rest.

import { isDone, isWaiting } from "./work.js";

/** @typedef {import("./types.js").Work} Work */

export class Wanted {
  /** @type {ReadonlySet<number>} */ #visible = new Set();
  /** @type {readonly number[]} */ #shown = [];
  /** @type {Set<Work>} */ #edited = new Set();
  /** All that is not done, and how many at the beginning are done by now; null when it must be made anew. @type {{ works: Work[], from: number, remote: Work[] } | null} */ #order = null;
  #works;

  /** @param {ReadonlyMap<number, Work>} works  in the order added */
  constructor(works) {
    this.#works = works;
  }

  /** Images came, went, or wait again. */
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

  /** Those that wait. It may be stopped early and begun again after each image: what is done is not looked at twice. */
  * [Symbol.iterator]() {
    for (const work of [...this.#edited].reverse()) {
      if (!work.isEdited || this.#works.get(work.item.id) !== work) this.#edited.delete(work);
      else if (isWaiting(work)) yield work;
    }
    const order = this.#order ??= this.#all();
    while (order.from < order.works.length && isDone(order.works[order.from])) order.from += 1;
    for (let index = order.from; index < order.works.length; index += 1) {
      const work = order.works[index];
      if (isWaiting(work)) yield work;
    }
  }

  /** Those of them that come from the network. */
  * remote() {
    for (const work of this.#edited) if (work.entry.url && work.isEdited && isWaiting(work)) yield work;
    for (const work of (this.#order ??= this.#all()).remote) if (!work.isEdited && isWaiting(work)) yield work;
  }

  #all() {
    /** @type {Set<Work>} */
    const all = new Set();
    /** @type {(id: number) => void} */
    const add = (id) => {
      const work = this.#works.get(id);
      if (work && !isDone(work)) all.add(work);
    };
    for (const id of this.#shown) if (this.#visible.has(id)) add(id);
    for (const id of this.#shown) add(id);
    for (const id of this.#works.keys()) add(id);
    const works = [...all];
    return { works, from: 0, remote: works.filter(({ entry }) => entry.url) };
  }
}
