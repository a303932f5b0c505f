// @ts-check
// add.js — the ways to add images: the drop zone of an empty gallery, and a menu.

import { html, nothing } from "lit";

import { icons } from "./icons.js";
import { menu } from "./menu.js";

/** @typedef {import("./gallery-element.js").GalleryElement} Gallery */

/** Images, sidecar files and tables. */
const ACCEPT = "image/*,.csv,.txt,.json";

/** @param {Gallery} gallery */
export function dropZone(gallery) {
  return html`<div class="start"><div class="drop" part="drop-zone">
    <svg class="line" viewBox="0 0 48 48" aria-hidden="true"><path d="M6 34v6a2 2 0 0 0 2 2h32a2 2 0 0 0 2-2v-6M24 32V8m-9 9 9-9 9 9"/></svg>
    <h2>Drop images or a folder here</h2>
    <div class="choices">${choices(gallery, "primary")}</div>
    <p>Prompts are read from the images' metadata, from text files in the same folder, or from a CSV table. You can also type them. Images and addresses can also be pasted.</p>
  </div></div>`;
}

/** @param {Gallery} gallery */
export function addMenu(gallery) {
  return menu("left-edge", "Add images", html`${icons.add}<span class="wide">Add</span>`, choices(gallery, ""));
}

/** @param {Gallery} gallery @param {string} first  the class of the first choice */
function choices(gallery, first) {
  return html`
    <label class="button ${first}">Files<input type="file" multiple accept=${ACCEPT} aria-label="Choose files" @change=${taken(gallery)}></label>
    ${"showDirectoryPicker" in window
      ? html`<button type="button" @click=${() => gallery.intake.pickFolder()}>Folder</button>`
      : html`<label class="button">Folder<input type="file" webkitdirectory aria-label="Choose a folder" @change=${taken(gallery)}></label>`}
    <button type="button" @click=${() => gallery.windows.show("urls")}>Addresses</button>
    <label class="button">Prompts from CSV<input type="file" accept=".csv,.tsv,text/csv" aria-label="Choose a CSV file with prompts" @change=${taken(gallery)}></label>
    ${gallery.samples ? html`<button type="button" @click=${() => gallery.intake.addSamples()}>Samples</button>` : nothing}`;
}

/** @param {Gallery} gallery @returns {(event: Event) => void} */
function taken(gallery) {
  return ({ currentTarget }) => {
    const input = /** @type {HTMLInputElement} */ (currentTarget);
    gallery.intake.addFiles([...(input.files ?? [])]);
    input.value = ""; // So that the same file can be chosen again.
  };
}
