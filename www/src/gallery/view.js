// @ts-check
// view.js — which items are shown, in which order, and how their scores are spread. Pure, and quick for 10,000 items.

/**
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").View} View
 * @typedef {import("./types.js").TaskName} TaskName
 */

/** The opinion scale of the data sets: 0 to 5. A score is not cut off there. */
export const SCALE = 5;

/** @type {View} */
export const DEFAULT_VIEW = { sort: "added", descending: false, perception: null, alignment: null, search: "", marks: [], status: null };

/**
 * @param {readonly Item[]} items  in the order added
 * @param {View} view
 * @returns {number[]}  their ids
 */
export function shownBy(items, view) {
  return order(items.filter(filter(view)), view).map(({ id }) => id);
}

/**
 * Both scores' mean where there are both: one alone would not compare with the others.
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
 * The scores of what the view shows, without its range on this task. What lies beyond the scale counts in its last bins.
 * @param {readonly Item[]} items
 * @param {View} view
 * @param {TaskName} task
 * @param {number} bins
 * @returns {import("./types.js").Histogram}
 */
export function histogramOf(items, view, task, bins) {
  const isShown = filter({ ...view, [task]: null });
  const counts = Array.from({ length: bins }, () => 0);
  let total = 0;
  for (const item of items) {
    const score = scoreOf(item, task);
    if (score === null || !isShown(item)) continue;
    counts[Math.min(bins - 1, Math.max(0, Math.floor((score / SCALE) * bins)))] += 1;
    total += 1;
  }
  return { counts, low: 0, high: SCALE, total };
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

/** Without the score that is sorted by: scored otherwise, still to come, never to come. */
const RANKS = { scored: 1, working: 2, waiting: 2, failed: 3 };

/** Made once an item and text, as folding and number padding cost more than all comparisons. @type {WeakMap<Item, { key?: string, prompt?: string | null, text?: string }>} */
const texts = new WeakMap();

/** @param {Item} item */
function cached(item) {
  let made = texts.get(item);
  if (!made) texts.set(item, made = {});
  return made;
}

/** A string whose plain order is the order that people expect: `image 9` before `image 10`. @param {Item} item */
function nameKey(item) {
  const made = cached(item);
  return made.key ??= naturalKey(item.name);
}

/** A number is its count of digits, as a digit or what follows them in ASCII, and its digits: short, so quick to compare. @param {string} name */
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

/** Without case and accents. @param {string} text */
function fold(text) {
  // Most prompts are ASCII, and normalising costs.
  return /^[\x00-\x7f]*$/.test(text) ? text.toLowerCase() : text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
}
