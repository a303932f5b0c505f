// @ts-check
// tile.js — an image in the grid: thumbnail, both scores, mark and state.

import { html, nothing } from "lit";

import { SCALE } from "../gallery/view.js";
import { sentence } from "./format.js";
import { icons } from "./icons.js";
import { style } from "./style.js";
import { TASK_NAMES } from "./tasks.js";
import { thumbnail } from "./thumbnail.js";

/**
 * @typedef {import("../gallery/types.js").Item} Item
 * @typedef {import("../gallery/types.js").Mark} Mark
 */

const TITLES = { perception: "Perception", alignment: "Alignment" };

/**
 * @param {Item} item
 * @param {{ column: number, isSelected: boolean, isFocusable: boolean, thumbnails: import("../gallery/thumbnails.js").Thumbnails }} options
 */
export function tile(item, { column, isSelected, isFocusable, thumbnails }) {
  const { id, name, status, mark } = item;
  return html`<div class="tile ${status} ${mark === "reject" ? "rejected" : ""}" part="tile" role="gridcell" data-id=${id}
    aria-colindex=${column} aria-selected=${isSelected} tabindex=${isFocusable ? 0 : -1} title=${name}>
    <span class="hidden spoken">${spoken(item)}</span>
    <div class="picture">
      <canvas ${thumbnail(item, thumbnails)} aria-hidden="true"></canvas>
      ${status === "failed" ? html`<p class="why" aria-hidden="true">${sentence(item.error ?? "")}</p>` : nothing}
      ${mark === null ? nothing : html`<span class="mark ${typeof mark === "number" ? "stars" : mark}" aria-hidden="true">${glyph(mark)}</span>`}
      <span class="pick" aria-hidden="true">${icons.check}</span>
      ${status === "working" ? html`<span class="busy"></span>` : nothing}
    </div>
    <div class="caption" aria-hidden="true">
      ${status === "failed"
        ? html`<span class="name">${name}</span>`
        : TASK_NAMES.map((task) => {
          const score = item.result?.[task]?.score;
          return html`<span class="task ${task}">
            <span class="track"><i ${style({ width: `${(Math.min(SCALE, Math.max(0, score ?? 0)) / SCALE) * 100}%` })}></i></span>
            ${score === undefined
              ? html`<span class="value">${item.result ? "–" : status === "working" ? "…" : "·"}</span>`
              : html`<data class="value" value=${score} data-task=${task}>${score.toFixed(2)}</data>`}
          </span>`;
        })}
    </div>
  </div>`;
}

/** @param {Exclude<Mark, null>} mark */
export function glyph(mark) {
  return mark === "keep" ? "✓" : mark === "reject" ? "✕" : `★ ${mark}`;
}

/** @param {Mark} mark */
export function markName(mark) {
  return mark === null ? "no mark" : mark === "keep" ? "kept" : mark === "reject" ? "rejected" : `${mark} of 5 stars`;
}

/** @param {Item} item */
function spoken({ name, status, result, error, mark }) {
  const scores = result ? TASK_NAMES.flatMap((task) => {
    const score = result[task]?.score;
    return score === undefined ? [] : `${TITLES[task].toLowerCase()} ${score.toFixed(2)}`;
  }) : [];
  const state = status === "failed" ? `failed: ${error}` : status === "scored" ? scores.join(", ") : status === "working" ? "being scored" : "waiting";
  return [name, state, ...(mark === null ? [] : [markName(mark)])].join(", ");
}
