// @ts-check
// view.js — filters and sorts items, and computes the histogram of their scores. It has no state, and is fast for 10,000 items.

/**
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").View} View
 * @typedef {import("./types.js").TaskName} TaskName
 */

/** The upper end of the opinion scale, which starts at 0. A score can lie beyond it. */
export const SCALE = 5;

/** @type {View} */
export const DEFAULT_VIEW = { sort: "added", descending: false, perception: null, alignment: null, search: "", marks: [], status: null };

/**
 * Returns the ids of the items that the view shows, in its order.
 * @param {readonly Item[]} items  in the order in which they were added
 * @param {View} view
 * @returns {number[]}
 */
export function shownBy(items, view) {
  return order(items.filter(filter(view)), view).map(({ id }) => id);
}

/**
 * Returns a score of an item. The mean needs both scores.
 * @param {Item} item
 * @param {TaskName | "mean"} name
 * @returns {number | null}
 */
export function scoreOf({ result }, name) {
  if (!result) return null;
  if (name !== "mean") return result[name]?.score ?? null;
  return result.perception && result.alignment ? (result.perception.score + result.alignment.score) / 2 : null;
}

/**
 * Counts the scores that the view would show without its range on this task. Scores beyond the scale count in its outer bins.
 * @param {readonly Item[]} items
 * @param {View} view
 * @param {TaskName} task
 * @param {number} bins
 * @returns {import("./types.js").Histogram}
 */
export function histogramOf(items, view, task, bins) {
  const isShown = filter({ ...view, [task]: null });
  const scores = items.filter(isShown).flatMap((item) => scoreOf(item, task) ?? []);
  return { counts: countsIn(scores, bins), low: 0, high: SCALE, total: scores.length };
}

/** Counts scores in equal bins of the scale. Scores beyond the scale count in its outer bins. @param {number[]} scores @param {number} bins */
export function countsIn(scores, bins) {
  const counts = Array.from({ length: bins }, () => 0);
  for (const score of scores) counts[Math.min(bins - 1, Math.max(0, Math.floor((score / SCALE) * bins)))] += 1;
  return counts;
}

/** @param {View} view @returns {(item: Item) => boolean} */
function filter({ perception, alignment, search, marks, status }) {
  const words = fold(search).split(/\s+/).filter(Boolean);
  return (item) =>
    (status === null || item.status === status)
    && (marks.length === 0 || marks.includes(item.mark))
    && (perception === null || isWithin(scoreOf(item, "perception"), perception))
    && (alignment === null || isWithin(scoreOf(item, "alignment"), alignment))
    && (words.length === 0 || hasAll(textOf(item), words));
}

/**
 * @param {number | null} score
 * @param {import("./types.js").Range} range
 */
function isWithin(score, [low, high]) {
  return score !== null && (score >= low || low <= 0) && (score <= high || high >= SCALE);
}

/**
 * @param {string} text
 * @param {string[]} words
 */
function hasAll(text, words) {
  return words.every((word) => text.includes(word));
}

/**
 * @param {Item[]} items
 * @param {View} view
 */
function order(items, { sort, descending }) {
  if (sort === "added") return descending ? items.reverse() : items;
  const sign = descending ? -1 : 1;
  if (sort === "name") {
    const keyed = items.map((item, index) => ({ item, index, key: nameKey(item) }));
    keyed.sort((a, b) => (a.key < b.key ? -sign : a.key > b.key ? sign : a.index - b.index));
    return keyed.map(({ item }) => item);
  }
  const keyed = items.map((item, index) => ({ item, index, key: scoreOf(item, sort), rank: 0 }));
  for (const each of keyed) each.rank = each.key !== null ? 0 : RANKS[each.item.status];
  keyed.sort((a, b) => a.rank - b.rank || (a.key !== null && b.key !== null ? sign * (a.key - b.key) : 0) || a.index - b.index);
  return keyed.map(({ item }) => item);
}

/** The order of items without the score that is sorted by. */
const RANKS = { scored: 1, working: 2, waiting: 2, failed: 3 };

/** Computed once for each item and text, because `fold` and `naturalKey` take longer than all comparisons. @type {WeakMap<Item, { key?: string, prompt?: string | null, text?: string }>} */
const texts = new WeakMap();

/** @param {Item} item */
function cached(item) {
  let made = texts.get(item);
  if (!made) texts.set(item, made = {});
  return made;
}

/** A key whose string order is the natural order: `image 9` before `image 10`. @param {Item} item */
function nameKey(item) {
  const made = cached(item);
  return made.key ??= naturalKey(item.name);
}

/** Puts the count of digits before each number, as a character from "0" on, so that longer numbers come later. @param {string} name */
export function naturalKey(name) {
  return fold(name).replaceAll(/0*(\d+)/g, (_, digits) => String.fromCharCode(0x30 + Math.min(digits.length, 64)) + digits);
}

/** @param {Item} item */
function textOf(item) {
  const made = cached(item);
  if (made.text === undefined || made.prompt !== item.prompt) {
    made.prompt = item.prompt;
    made.text = fold(`${item.prompt ?? ""}\n${item.name}`);
  }
  return made.text;
}

/** Removes case and accents. @param {string} text */
export function fold(text) {
  // Most prompts are ASCII and need no normalisation, which is slow.
  return /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
}
