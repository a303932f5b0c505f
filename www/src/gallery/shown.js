// @ts-check
// shown.js — what the view shows of the images, and when that has to be looked at again.

import { DEFAULT_VIEW, histogramOf, shownBy } from "./view.js";

/**
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").View} View
 */

/** So often at most the order follows new scores: tiles that jump in each frame cannot be looked at. */
const REORDER_MS = 250;

export class Shown {
  /** @type {View} */ view = DEFAULT_VIEW;
  /** Of the items, in the view's order. @type {readonly number[]} */ ids = [];
  #at = 0;

  /** Whether they are others now, or in another order. @param {readonly Item[]} items */
  renew(items) {
    this.#at = performance.now();
    const ids = shownBy(items, this.view);
    if (ids.length === this.ids.length && ids.every((id, index) => id === this.ids[index])) return false;
    this.ids = ids;
    return true;
  }

  /** Whether new scores or prompts change what is shown or its order. */
  get isMoving() {
    const { sort, perception, alignment, search, status } = this.view;
    return !(sort === "added" || sort === "name") || perception !== null || alignment !== null || search.trim() !== "" || status !== null;
  }

  /** Milliseconds until it may move again. */
  get rest() {
    return this.#at + REORDER_MS - performance.now();
  }

  /** @param {readonly Item[]} items @param {import("./types.js").TaskName} task @param {number} bins */
  histogram(items, task, bins) {
    return histogramOf(items, this.view, task, bins);
  }
}
