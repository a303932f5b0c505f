// @ts-check
// compare.js — two images side by side, with their scores and the differences.

import { html, nothing } from "lit";

import { picture } from "./detail.js";
import { icons } from "./icons.js";
import { number } from "./result.js";
import { TASK_NAMES } from "./tasks.js";

/**
 * @typedef {import("./gallery-element.js").GalleryElement} Gallery
 * @typedef {import("../gallery/types.js").Item} Item
 * @typedef {import("../engine/protocol.js").Task} Task
 */

/** @type {{ label: string, key: string, value: (task: Task) => number | null }[]} */
const ROWS = [
  { label: "Score", key: "score", value: ({ score }) => score },
  { label: "Whole image", key: "alpha*qImage", value: ({ alpha, qImage }) => (qImage === null ? null : alpha * qImage) },
  { label: "Crops", key: "(1-alpha)*qPatches", value: ({ alpha, qPatches }) => (qPatches === null ? null : (1 - alpha) * qPatches) },
  { label: "Words", key: "qFine", value: ({ qFine }) => qFine },
];

/** @param {Gallery} gallery @param {[Item, Item]} items */
export function comparison(gallery, [a, b]) {
  return html`<dialog autofocus tabindex="-1" class="compare" part="compare" aria-label="Two images side by side"
    @keydown=${(/** @type {KeyboardEvent} */ event) => gallery.onKey(event)} @cancel=${(/** @type {Event} */ event) => gallery.windows.onCancel(event)}>
    <div class="top"><h2>Side by side</h2>
      <button type="button" class="icon plain" aria-label="Close" title="Close (Esc)" @click=${() => gallery.windows.close()}>${icons.close}</button></div>
    <div class="pair">${[a, b].map((item) => html`<figure><div class="stage">${picture(gallery, item)}</div>
      <figcaption><b>${item.name}</b><span class="note">${item.prompt}</span></figcaption></figure>`)}</div>
    <table>
      <thead><tr><td></td><th scope="col">Left</th><th scope="col">Right</th><th scope="col">Right − left</th></tr></thead>
      ${TASK_NAMES.map((task) => html`<tbody class=${task}>
        <tr><th colspan="4" scope="rowgroup">${task === "perception" ? "Perception" : "Alignment"}</th></tr>
        ${ROWS.map(({ label, key, value }) => {
          const [left, right] = [a, b].map(({ result }) => (result?.[task] ? value(result[task]) : null));
          if (left === null && right === null && key !== "score") return nothing;
          return html`<tr class=${key === "score" ? "main" : ""}><th scope="row">${label}</th>
            ${[left, right].map((side, index) => html`<td>${side === null ? "–" : number(side, `${index}.${task}.${key}`, key === "score" ? 2 : 3)}</td>`)}
            ${difference(left, right, key === "score" ? 2 : 3)}</tr>`;
        })}</tbody>`)}
    </table>
  </dialog>`;
}

/** @param {number | null} left @param {number | null} right @param {number} digits */
function difference(left, right, digits) {
  if (left === null || right === null) return html`<td>–</td>`;
  const text = (right - left).toFixed(digits);
  if (Number(text) === 0) return html`<td>${(0).toFixed(digits)}</td>`; // No -0.00.
  return right > left ? html`<td class="up">+${text}</td>` : html`<td class="down">${text}</td>`;
}
