// @ts-check
// toolbar.js — the toolbar: search, order, filters, progress, actions on the selection, and export.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";
import { ref } from "lit/directives/ref.js";

import { addMenu } from "./add.js";
import { count, timeLeft } from "./format.js";
import { histogram } from "./histogram.js";
import { icons } from "./icons.js";
import { menu } from "./menu.js";
import { copyNames, save } from "./save.js";

/**
 * @typedef {import("./gallery-element.js").GalleryElement} Gallery
 * @typedef {import("../gallery/types.js").View} View
 */

/** The number of bins of a histogram. More could not be distinguished on a phone. */
const BINS = 40;

/** @type {[View["sort"], string][]} */
const SORTS = [["added", "As added"], ["name", "Name"], ["perception", "Perception"], ["alignment", "Alignment"], ["mean", "Mean of both"]];

/** @type {[label: string, shows: Pick<View, "marks" | "status">][]} */
const SHOWS = [
  ["All", { marks: [], status: null }],
  ["Kept", { marks: ["keep"], status: null }],
  ["Not rejected", { marks: ["keep", 1, 2, 3, 4, 5, null], status: null }],
  ["Rejected", { marks: ["reject"], status: null }],
  ["With stars", { marks: [1, 2, 3, 4, 5], status: null }],
  ["★ 4 and 5", { marks: [4, 5], status: null }],
  ["Unmarked", { marks: [null], status: null }],
  ["Scored", { marks: [], status: "scored" }],
  ["Waiting", { marks: [], status: "waiting" }],
  ["Failed", { marks: [], status: "failed" }],
];

/** @param {Gallery} gallery */
export function toolbar(gallery) {
  const { collection, grid: { chosen, tileSize } } = gallery;
  const { view } = collection;
  const shows = SHOWS.findIndex(([, { marks, status }]) => status === view.status && String(marks) === String(view.marks));
  return html`<div ${ref(gallery.grid.toolbar)} class="toolbar" part="toolbar" role="region" aria-label="Order and filters">
    <div class="bar">
      ${addMenu(gallery)}
      <input ${ref(gallery.search)} type="search" class="search" placeholder="Search prompts and names" aria-label="Search prompts and names" .value=${live(view.search)}
        @input=${(/** @type {Event} */ { target }) => gallery.setView({ search: /** @type {HTMLInputElement} */ (target).value })}
        @keydown=${(/** @type {KeyboardEvent} */ event) => gallery.onSearchKey(event)}>
      <span class="pair"><select aria-label="Sort by" @change=${(/** @type {Event} */ { target }) => sortBy(gallery, /** @type {HTMLSelectElement} */ (target).value)}>
        ${SORTS.map(([sort, label]) => html`<option value=${sort} .selected=${live(sort === view.sort)}>${label}</option>`)}</select>
      <button type="button" class="icon" aria-label=${view.descending ? "Highest first" : "Lowest first"} title=${view.descending ? "Highest first" : "Lowest first"}
        aria-pressed=${view.descending} @click=${() => gallery.setView({ descending: !view.descending })}>${view.descending ? icons.down : icons.up}</button></span>
      <select class="show" aria-label="Show" @change=${(/** @type {Event} */ { target }) => gallery.setView(SHOWS[/** @type {HTMLSelectElement} */ (target).selectedIndex][1])}>
        ${SHOWS.map(([label], index) => html`<option .selected=${live(index === Math.max(0, shows))}>${label}</option>`)}</select>
      <button type="button" aria-expanded=${gallery.hasFilters} aria-controls="filters" aria-label="Filter by scores" @click=${() => gallery.toggleFilters()}>${icons.filter}<span class="wide">Scores</span></button>
      <label class="size" title="Size of the tiles"><span class="hidden">Size of the tiles</span>
        <input type="range" min="110" max="420" step="10" .value=${live(String(tileSize))}
          @input=${(/** @type {Event} */ { target }) => gallery.setTileSize(Number(/** @type {HTMLInputElement} */ (target).value))}></label>
      ${exportMenu(gallery, chosen)}
    </div>
    <div class="filters" id="filters" ?hidden=${!gallery.hasFilters}>
      ${(/** @type {const} */ (["perception", "alignment"])).map((task) => histogram({
        task,
        label: task === "perception" ? "Perception" : "Alignment",
        counts: gallery.hasFilters ? collection.histogram(task, BINS).counts : [0],
        range: view[task] ?? null,
        onRange: (range) => gallery.setView({ [task]: range }),
      }))}
    </div>
    ${chosen.length > 0 ? selection(gallery, chosen) : state(gallery)}
  </div>`;
}

/** Sorts scores from the highest, and names from A. @param {Gallery} gallery @param {string} value */
function sortBy(gallery, value) {
  const sort = /** @type {View["sort"]} */ (value);
  gallery.setView({ sort, descending: sort !== "added" && sort !== "name" });
}

/** @param {Gallery} gallery */
function state({ collection }) {
  const { total, scored, failed, waiting, held, fromStore, secondsLeft, isPaused } = collection.progress;
  const shown = collection.shown.length;
  const isWorking = waiting > 0;
  return html`<div class="state">
    <p>${shown === total ? count(total, "image") : html`<b>${shown.toLocaleString("en")}</b> of ${count(total, "image")} shown`}
      · ${scored.toLocaleString("en")} scored${fromStore > 0 ? html` (${fromStore.toLocaleString("en")} from an earlier visit)` : nothing}${failed > 0 ? html` · ${failed.toLocaleString("en")} failed` : nothing}${
      isWorking ? html` · ${waiting.toLocaleString("en")} waiting` : nothing}${isPaused ? html` · paused` : isWorking && secondsLeft !== null ? html` · ${timeLeft(secondsLeft)}` : nothing}</p>
    ${isWorking && !isPaused ? html`<button type="button" class="plain" @click=${() => collection.pause()}>${icons.pause}Pause</button>` : nothing}
    ${isPaused || held > 0 ? html`<button type="button" class="plain" @click=${() => collection.resume()}>${icons.play}Resume</button>` : nothing}
    ${isWorking ? html`<button type="button" class="plain" @click=${() => collection.cancel()}>${icons.stop}Cancel</button>` : nothing}
    ${failed > 0 ? html`<button type="button" class="plain" @click=${() => collection.retry(collection.items.filter(({ status }) => status === "failed").map(({ id }) => id))}>Retry failed images</button>` : nothing}
    <p class="key" aria-hidden="true"><span class="perception">Perception</span><span class="alignment">Alignment</span></p>
    ${isWorking || held > 0 ? html`<progress part="progress" max=${Math.max(1, total)} value=${scored + failed} aria-label="Images scored"></progress>` : nothing}
  </div>`;
}

/** @param {Gallery} gallery @param {number[]} ids */
function selection(gallery, ids) {
  return html`<div class="state selection" role="group" aria-label="Selection">
    <p><b>${count(ids.length, "image")} selected</b></p>
    <button type="button" @click=${() => gallery.mark(ids, "keep")}>Keep</button>
    <button type="button" @click=${() => gallery.mark(ids, "reject")}>Reject</button>
    <button type="button" @click=${() => gallery.windows.compare()} ?disabled=${ids.length !== 2}>Compare</button>
    <button type="button" @click=${() => gallery.takeOut(ids)}>Remove</button>
    <button type="button" class="plain" @click=${() => gallery.grid.clearSelection()}>Clear selection</button>
  </div>`;
}

/** @param {Gallery} gallery @param {number[]} chosen */
function exportMenu(gallery, chosen) {
  const { collection } = gallery;
  const [what, ids] = chosen.length > 0 ? ["the selection", chosen] : ["the list"];
  return menu("", "Export", html`${icons.save}<span class="wide">Export</span>`, html`
    <button type="button" @click=${() => save(gallery, "scores.csv", "text/csv", collection.exportCsv(ids))}>Scores of ${what} as CSV</button>
    <button type="button" @click=${() => save(gallery, "scores.json", "application/json", collection.exportJson(ids))}>Scores of ${what} as JSON</button>
    <button type="button" @click=${() => copyNames(gallery, collection.names("keep"))}>Copy the names of kept images</button>
    <button type="button" @click=${() => save(gallery, "kept.txt", "text/plain", collection.names("keep"))}>Names of kept images as a file</button>
    <button type="button" @click=${() => save(gallery, "rejected.txt", "text/plain", collection.names("reject"))}>Names of rejected images as a file</button>`);
}
