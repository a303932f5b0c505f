// @ts-check
// selection.js — which rows are shown, and in which order. Pure.

import { countsIn, fold, naturalKey, SCALE } from "../gallery/view.js";
import { TASK_NAMES, TASKS as TEXTS } from "../ui/tasks.js";

export { SCALE };

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").TaskName} TaskName
 *
 * @typedef {object} View
 * @property {"mean" | TaskName | "name" | "listed"} sort  rows without the score come last either way
 * @property {boolean} isDescending
 * @property {string} search  words that all occur in prompt or name; case and accents do not matter
 * @property {{ [task in TaskName]: number }} least  the lowest score that is shown; 0: all, also rows without a score
 */

export const TASKS = TASK_NAMES.map((task) => ({ task, ...TEXTS[task] }));

/** @returns {View} */
export function startView() {
  return { sort: "mean", isDescending: true, search: "", least: { perception: 0, alignment: 0 } };
}

/**
 * @param {readonly Row[]} rows  in the table's order
 * @param {View} view
 */
export function shownRows(rows, view) {
  const words = fold(view.search).split(/\s+/).filter(Boolean);
  const isShown = (/** @type {Row} */ row) => TASKS.every(({ task }) => view.least[task] <= 0 || (row[task] ?? -1) >= view.least[task])
    && (words.length === 0 || words.every((word) => fold(`${row.prompt ?? ""}\n${row.name}`).includes(word)));
  const shown = rows.filter(isShown);
  if (view.sort === "listed") return view.isDescending ? shown.reverse() : shown;
  const sign = view.isDescending ? -1 : 1;
  if (view.sort === "name") {
    const keys = new Map(shown.map((row) => [row, naturalKey(row.name)]));
    const keyOfName = (/** @type {Row} */ row) => /** @type {string} */ (keys.get(row));
    return shown.sort((a, b) => (keyOfName(a) < keyOfName(b) ? -sign : keyOfName(a) > keyOfName(b) ? sign : 0));
  }
  const { sort } = view;
  return shown.sort((a, b) => {
    const [one, other] = [keyOf(a, sort), keyOf(b, sort)];
    return one === null || other === null ? Number(one === null) - Number(other === null) : sign * (one - other);
  });
}

/** With the mean, a row with one score alone is placed by that: a model may score one task. @param {Row} row @param {"mean" | TaskName} sort */
function keyOf(row, sort) {
  if (sort !== "mean") return row[sort];
  const { perception, alignment } = row;
  return perception === null ? alignment : alignment === null ? perception : (perception + alignment) / 2;
}

/** Counts the scores of a task in equal bins of the scale. @param {readonly Row[]} rows @param {TaskName} task @param {number} bins */
export function histogram(rows, task, bins) {
  return countsIn(rows.flatMap((row) => row[task] ?? []), bins);
}
