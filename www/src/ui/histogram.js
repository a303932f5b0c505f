// @ts-check
// histogram.js — the histogram of a score, with a range that the user sets by pointer or keys.

import { html, svg } from "lit";

import { SCALE } from "../gallery/view.js";
import { style } from "./style.js";

/** The step of the range. */
const STEP = 0.05;
/** The distance at which a press grips a handle, in pixels. WCAG 2.2 requires a target of 24 pixels. */
const GRIP_PX = 12;

/**
 * @typedef {import("../gallery/types.js").Range} Range
 *
 * @typedef {object} Histogram
 * @property {string} label
 * @property {"perception" | "alignment"} task
 * @property {number[]} counts  one for each bin; the bins have equal widths and cover the scale
 * @property {Range | null} range  null: all
 * @property {(range: Range | null) => void} onRange
 */

/** @param {Histogram} histogram */
export function histogram({ label, task, counts, range, onRange }) {
  const most = Math.max(1, ...counts);
  const [low, high] = range ?? [0, SCALE];
  const width = 100 / counts.length;
  /** @param {number} value */
  const percent = (value) => `${(value / SCALE) * 100}%`;
  return html`<div class="histogram ${task}" role="group" aria-label="${label} filter" part="histogram">
    <div class="head">
      <span>${label}</span>
      <output>${range === null ? "all" : `${low.toFixed(2)} – ${high.toFixed(2)}`}</output>
      <button type="button" class="plain" ?hidden=${range === null} @click=${() => onRange(null)} aria-label="Show all of ${label.toLowerCase()}">reset</button>
    </div>
    <div class="plot" @pointerdown=${(/** @type {PointerEvent} */ event) => brush(event, [low, high], onRange)}>
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
        ${counts.map((count, index) => {
          const height = count === 0 ? 0 : Math.max(1.5, (count / most) * 38);
          const middle = ((index + 0.5) / counts.length) * SCALE;
          return svg`<rect x=${index * width + width * 0.08} width=${width * 0.84} y=${40 - height} height=${height}
            class=${middle >= low && middle <= high ? "in" : "out"}></rect>`;
        })}
      </svg>
      <div class="range" ?hidden=${range === null} ${style({ left: percent(low), right: percent(SCALE - high) })}></div>
      ${[0, 1].map((end) => html`<div class="handle" role="slider" tabindex="0" data-end=${end}
        aria-label="${end === 0 ? "Lowest" : "Highest"} ${label.toLowerCase()}" aria-valuemin="0" aria-valuemax=${SCALE}
        aria-valuenow=${(end === 0 ? low : high).toFixed(2)}
        ${style({ left: percent(end === 0 ? low : high) })}
        @keydown=${(/** @type {KeyboardEvent} */ event) => step(event, end, [low, high], onRange)}></div>`)}
    </div>
    <div class="axis" aria-hidden="true"><span>0</span><span>1</span><span>2</span><span>3</span><span>4</span><span>5</span></div>
  </div>`;
}

/** @param {number} low @param {number} high @returns {Range | null} */
function rangeOf(low, high) {
  return low <= 0 && high >= SCALE ? null : [low, high];
}

/** @param {number} value */
function rounded(value) {
  return Math.round(Math.min(SCALE, Math.max(0, value)) / STEP) * STEP;
}

/**
 * @param {KeyboardEvent} event
 * @param {number} end
 * @param {Range} range
 * @param {Histogram["onRange"]} onRange
 */
function step(event, end, range, onRange) {
  /** @type {Record<string, number>} */
  const steps = { ArrowLeft: -STEP, ArrowDown: -STEP, ArrowRight: STEP, ArrowUp: STEP, PageDown: -10 * STEP, PageUp: 10 * STEP, Home: -SCALE, End: SCALE };
  if (!(event.key in steps)) return;
  event.preventDefault();
  event.stopPropagation();
  const moved = rounded(range[end] + steps[event.key]);
  onRange(end === 0 ? rangeOf(Math.min(moved, range[1]), range[1]) : rangeOf(range[0], Math.max(moved, range[0])));
}

/**
 * @param {PointerEvent} event
 * @param {Range} range
 * @param {Histogram["onRange"]} onRange
 */
function brush(event, [low, high], onRange) {
  if (event.button !== 0) return;
  const plot = /** @type {HTMLElement} */ (event.currentTarget);
  const { left, width } = plot.getBoundingClientRect();
  /** @param {number} x */
  const at = (x) => rounded(((x - left) / width) * SCALE);
  /** @param {number} value */
  const near = (value) => Math.abs(left + (value / SCALE) * width - event.clientX) < GRIP_PX;
  const start = near(low) ? high : near(high) ? low : at(event.clientX);
  /** @type {HTMLElement | null} */ (plot.querySelector(`[data-end="${near(high) ? 1 : 0}"]`))?.focus({ preventScroll: true });
  event.preventDefault();
  plot.setPointerCapture(event.pointerId);
  plot.onpointermove = ({ clientX }) => {
    const now = at(clientX);
    if (now !== start) onRange(rangeOf(Math.min(start, now), Math.max(start, now)));
  };
  plot.onpointerup = plot.onpointercancel = () => {
    plot.onpointermove = plot.onpointerup = plot.onpointercancel = null;
  };
}
