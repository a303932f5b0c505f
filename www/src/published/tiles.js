// @ts-check
// tiles.js — an image in the grid: its picture and its scores. The page that `trainer score --gallery` writes has the same
// elements with the same classes.

import { sentence } from "../ui/format.js";
import { draw, make } from "./dom.js";
import { SCALE, TASKS } from "./selection.js";

/** @typedef {import("./rows.js").Row} Row */

/**
 * @param {Row} row
 * @param {() => void} open  opens the large view
 */
export function tile(row, open) {
  const { name, error, prompt } = row;
  const reason = error === null ? null : sentence(error);
  return make("li", {}, make("figure", { class: `tile${reason === null ? "" : " failed"}`, title: prompt ?? name },
    make("button", { type: "button", class: "open", "aria-label": `${name}: ${reason ?? "larger"}`, onclick: open },
      reason === null ? picture(row) : make("span", { class: "picture why" }, reason)),
    reason === null ? scores(row) : null,
    make("figcaption", {}, name)));
}

/** @param {Row} row */
export function picture({ image, prompt, name }) {
  if (image === null) return make("span", { class: "picture none" }, "No picture");
  const shown = make("img", { class: "picture", alt: prompt ?? name, loading: "lazy", decoding: "async", draggable: "false" });
  shown.addEventListener("error", () => shown.replaceWith(make("span", { class: "picture none" }, "The picture cannot be loaded")));
  shown.src = image;
  return shown;
}

/** Both scores with their bars. @param {Row} row */
export function scores(row) {
  return make("dl", { class: "scores" }, ...TASKS.map(({ task, title }) => make("div", { class: task },
    make("dt", {}, title),
    make("dd", {}, bar(row[task]), make("span", { class: "value" }, figure(row[task]))))));
}

/** A score on its scale. @param {number | null} score */
export function bar(score) {
  const width = Math.min(SCALE, Math.max(0, score ?? 0)).toFixed(3);
  return draw("svg", { class: "bar", viewBox: `0 0 ${SCALE} 1`, preserveAspectRatio: "none", "aria-hidden": "true" }, draw("rect", { width, height: 1 }));
}

/** @param {number | null} score */
export function figure(score) {
  return score === null ? "–" : score.toFixed(2);
}
