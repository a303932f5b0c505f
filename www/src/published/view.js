// @ts-check
// view.js — which rows are shown, and in which order. Pure.

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

/** The opinion scale: 0 to 5. */
export const SCALE = 5;
/** @type {readonly { task: TaskName, title: string, asks: string }[]} */
export const TASKS = [
  { task: "perception", title: "Perception", asks: "how good it looks" },
  { task: "alignment", title: "Alignment", asks: "how well it shows its prompt" },
];

/** @returns {View} */
export function startView() {
  return { sort: "mean", isDescending: true, search: "", least: { perception: 0, alignment: 0 } };
}

/**
 * @param {readonly Row[]} rows  in the table's order
 * @param {View} view
 */
export function shownRows(rows, view) {
  const words = folded(view.search).split(/\s+/).filter(Boolean);
  const isShown = (/** @type {Row} */ row) => TASKS.every(({ task }) => view.least[task] <= 0 || (row[task] ?? -1) >= view.least[task])
    && (words.length === 0 || words.every((word) => folded(`${row.prompt ?? ""}\n${row.name}`).includes(word)));
  const shown = rows.filter(isShown);
  if (view.sort === "listed") return view.isDescending ? shown.reverse() : shown;
  const sign = view.isDescending ? -1 : 1;
  if (view.sort === "name") {
    const { compare } = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
    return shown.sort((a, b) => sign * compare(a.name, b.name));
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

/** How many scores are in each of equal bins of the scale. @param {readonly Row[]} rows @param {TaskName} task @param {number} bins */
export function histogram(rows, task, bins) {
  const counts = Array.from({ length: bins }, () => 0);
  for (const row of rows) {
    const score = row[task];
    if (score !== null) counts[Math.min(bins - 1, Math.max(0, Math.floor((score / SCALE) * bins)))] += 1;
  }
  return counts;
}

/** Without case and accents. @param {string} text */
function folded(text) {
  return text.normalize("NFKD").replaceAll(/\p{M}/gu, "").toLowerCase();
}
