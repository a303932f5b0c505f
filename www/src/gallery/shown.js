// @ts-check
// shown.js — the images that the view shows, and when they must be determined again.

import { DEFAULT_VIEW, histogramOf, shownBy } from "./view.js";

/**
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").View} View
 */

/** The shortest time between two changes of the order by new scores. Tiles must not move in each frame. */
const REORDER_MS = 250;

export class Shown {
  /** @type {View} */ view = DEFAULT_VIEW;
  /** The ids of the shown items, in the order of the view. @type {readonly number[]} */ ids = [];
  #at = 0;

  /** Determines the shown items. Returns whether they or their order changed. @param {readonly Item[]} items */
  renew(items) {
    this.#at = performance.now();
    const ids = shownBy(items, this.view);
    if (ids.length === this.ids.length && ids.every((id, index) => id === this.ids[index])) return false;
    this.ids = ids;
    return true;
  }

  /** Whether new scores or prompts can change the shown items or their order. */
  get isMoving() {
    const { sort, perception, alignment, search, status } = this.view;
    return !(sort === "added" || sort === "name") || perception !== null || alignment !== null || search.trim() !== "" || status !== null;
  }

  /** The time in milliseconds until the order may change again. */
  get rest() {
    return this.#at + REORDER_MS - performance.now();
  }

  /** @param {readonly Item[]} items @param {import("./types.js").TaskName} task @param {number} bins */
  histogram(items, task, bins) {
    return histogramOf(items, this.view, task, bins);
  }
}
