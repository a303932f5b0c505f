// @ts-check
// toolbar.js — search, order, and the lowest scores that are shown.

import { draw, icon, make } from "./dom.js";
import { SCALE, TASKS, histogram } from "./selection.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").TaskName} TaskName
 * @typedef {import("./selection.js").View} View
 */

const BINS = 25;
const STEP = SCALE / BINS;
/** @type {[View["sort"], string][]} */
const SORTS = [["mean", "Both scores"], ["perception", "Perception"], ["alignment", "Alignment"], ["name", "Name"], ["listed", "As listed"]];
const DOWN = "M12 5v14m-6-6 6 6 6-6";
const UP = "M12 19V5m-6 6 6-6 6 6";

/**
 * @param {readonly Row[]} rows
 * @param {View} view  is changed
 * @param {() => void} changed
 */
export function toolbar(rows, view, changed) {
  const search = make("input", { type: "search", placeholder: "Search prompts and names", "aria-label": "Search prompts and names",
    oninput: () => {
      view.search = search.value;
      changed();
    } });
  const sorts = SORTS.filter(([sort]) => (sort !== "perception" && sort !== "alignment") || rows.some((row) => row[sort] !== null));
  const sort = make("select", { "aria-label": "Sort by", onchange: () => {
    view.sort = /** @type {View["sort"]} */ (sort.value);
    view.isDescending = view.sort !== "name" && view.sort !== "listed"; // Scores are asked for from the top, names from A.
    turn();
    changed();
  } }, ...sorts.map(([value, label]) => make("option", { value }, label)));
  const direction = make("button", { type: "button", class: "turn", onclick: () => {
    view.isDescending = !view.isDescending;
    turn();
    changed();
  } });
  const turn = () => {
    const label = view.isDescending ? "Highest first" : "Lowest first";
    direction.replaceChildren(icon(view.isDescending ? DOWN : UP));
    direction.title = label;
    direction.setAttribute("aria-label", label);
  };
  turn();
  const filters = TASKS.filter(({ task }) => rows.some((row) => row[task] !== null)).map(({ task, title }) => least(rows, view, task, title, changed));
  const clear = () => {
    search.value = view.search = "";
    for (const filter of filters) filter.clear();
    changed();
  };
  const bar = make("div", { class: "toolbar", role: "region", "aria-label": "Order and filters" },
    make("div", { class: "line" }, search, make("span", { class: "pair" }, sort, direction)),
    make("div", { class: "filters" }, ...filters.map(({ element }) => element)));
  return { element: bar, clear };
}

/**
 * The scores of a task, and the lowest that is shown.
 * @param {readonly Row[]} rows
 * @param {View} view
 * @param {TaskName} task
 * @param {string} title
 * @param {() => void} changed
 */
function least(rows, view, task, title, changed) {
  const counts = histogram(rows, task, BINS);
  const most = Math.max(1, ...counts);
  // A bin with one image of thousands is still seen.
  const bins = counts.map((count, index) => {
    const height = count === 0 ? 0 : Math.max(0.06, count / most);
    return draw("rect", { x: index + 0.08, y: 1 - height, width: 0.84, height });
  });
  const said = make("output", {});
  const input = make("input", { type: "range", "aria-label": `${title}, lowest score shown`, min: 0, max: SCALE, step: STEP, value: 0, oninput: () => {
    follow();
    changed();
  } });
  const follow = () => {
    view.least[task] = input.valueAsNumber;
    bins.forEach((bin, index) => bin.classList.toggle("out", (index + 1) * STEP <= view.least[task] + 1e-9));
    said.value = view.least[task] > 0 ? `${view.least[task].toFixed(1)} and higher` : "all";
  };
  follow();
  const element = make("div", { class: `least ${task}` },
    make("p", { class: "head" }, `${title} `, said),
    draw("svg", { viewBox: `0 0 ${BINS} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, ...bins),
    input);
  return { element, clear: () => {
    input.valueAsNumber = 0;
    follow();
  } };
}
