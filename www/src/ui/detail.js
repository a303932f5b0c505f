// @ts-check
// detail.js — the large view of an image: its scores and their parts, its prompt and its mark.

import { html, nothing } from "lit";
import { guard } from "lit/directives/guard.js";
import { live } from "lit/directives/live.js";

import { count, duration, sentence } from "./format.js";
import { icons } from "./icons.js";
import { drawPatches } from "./overlay.js";
import { glyph, markName } from "./tile.js";
import { element, number, parts, scores } from "./result.js";
import { TASK_NAMES } from "./tasks.js";

/**
 * @typedef {import("./gallery-element.js").GalleryElement} Gallery
 * @typedef {import("../gallery/types.js").Item} Item
 * @typedef {import("../gallery/types.js").Result} Result
 * @typedef {import("../gallery/types.js").Mark} Mark
 * @typedef {import("../gallery/types.js").TaskName} TaskName
 */

/** @type {Exclude<Mark, null>[]} */
const MARKS = ["keep", "reject", 1, 2, 3, 4, 5];

export class Detail {
  /** The task whose crops are drawn over the image. @type {TaskName | null} */ heat = null;
  /** A prompt that the user is typing. New results do not overwrite it. @type {{ id: number, text: string } | null} */ #draft = null;
  /** @type {Gallery} */ #gallery;

  /** @param {Gallery} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
  }

  /** @param {Item} item */
  render(item) {
    const gallery = this.#gallery;
    const { shown } = gallery.collection;
    const place = shown.indexOf(item.id);
    const tasks = gallery.engine.scorer?.info.tasks ?? TASK_NAMES;
    const { result } = item;
    return html`<dialog autofocus tabindex="-1" class="detail" part="detail" aria-label=${item.name}
      @keydown=${(/** @type {KeyboardEvent} */ event) => gallery.onKey(event)} @cancel=${(/** @type {Event} */ event) => gallery.windows.onCancel(event)}>
      <div class="left">
        <div class="stage">${picture(gallery, item)}${result && this.heat && result[this.heat]?.patches.length ? guard([result, this.heat], () => overlay(result, this.heat)) : nothing}
          ${item.status === "working" ? html`<span class="busy"></span>` : nothing}</div>
        <div class="tools">
          <button type="button" class="icon" aria-label="Previous image" title="Previous (←)" ?disabled=${place <= 0} @click=${() => gallery.windows.step(-1)}>${icons.previous}</button>
          <button type="button" class="icon" aria-label="Next image" title="Next (→)" ?disabled=${place < 0 || place >= shown.length - 1} @click=${() => gallery.windows.step(1)}>${icons.next}</button>
          <div class="marks" role="group" aria-label="Mark">${MARKS.map((mark) => html`<button type="button" class=${typeof mark === "number" ? "stars" : mark}
            aria-pressed=${item.mark === mark} aria-label=${typeof mark === "number" ? `${count(mark, "star")}` : mark === "keep" ? "Keep" : "Reject"}
            title="${markName(mark)} (${mark === "keep" ? "K" : mark === "reject" ? "X" : mark})"
            @click=${() => gallery.mark([item.id], item.mark === mark ? null : mark)}>${typeof mark === "number" ? html`<span class=${typeof item.mark === "number" && mark <= item.mark ? "on" : ""}>★</span>` : glyph(mark)}</button>`)}</div>
          ${this.#heatToggle(result)}
        </div>
        ${result && this.heat && result[this.heat]?.patches.length ? guard([result, this.heat, "legend"], () => legend(result, this.heat)) : nothing}
      </div>
      <div class="right" aria-busy=${item.status === "working" || (item.status === "waiting" && item.result !== null)}>
        <div class="top">
          <div><h2>${item.name}</h2><p class="note">${place >= 0 ? html`${(place + 1).toLocaleString("en")} of ${shown.length.toLocaleString("en")}` : "not in the current list"}${
            item.width ? html` · ${item.width} × ${item.height}` : nothing}${item.fromStore ? html` · scored on an earlier visit` : item.elapsedMs !== null ? html` · ${duration(item.elapsedMs)}` : nothing}</p></div>
          <button type="button" class="icon plain" aria-label="Close" title="Close (Esc)" @click=${() => gallery.windows.close()}>${icons.close}</button>
        </div>
        ${item.status === "failed" ? html`<p class="banner alarm" role="alert">${sentence(item.error ?? "")}
          <button type="button" @click=${() => gallery.collection.retry([item.id])}>Try again</button></p>` : nothing}
        <div class="scores">${guard([result, tasks.join()], () => scores(result, tasks))}</div>
        ${result?.notes.filter((note) => !gallery.engine.scorer?.info.notes.includes(note)).map((note) => html`<p class="note">${sentence(note)}</p>`)}
        ${this.#prompt(item)}
        ${result ? html`<div class="parts">${guard([result], () => parts(result))}</div>` : item.status === "failed" ? nothing : html`<p class="note">${
          item.isHeld ? "The scoring was cancelled. Resume it to score this image." : item.status === "working" ? "Being scored …" : "Waiting for its turn …"}</p>`}
        ${item.provenance ? html`<p class="note">${result?.model} · ${item.provenance.device} · weights as ${item.provenance.dtype} · ${count(result?.crops ?? 0, "patch", "patches")} · preprocessing ${item.provenance.preprocessing}</p>` : nothing}
      </div>
    </dialog>`;
  }

  /** @param {Item} item */
  #prompt(item) {
    const text = this.#draft?.id === item.id ? this.#draft.text : (item.prompt ?? "");
    return html`<form class="ask" @submit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      this.#commit(item);
    }}>
      <label for="prompt">Prompt</label>
      <div class="row">
        <textarea id="prompt" rows="2" spellcheck="false" enterkeyhint="go" placeholder="The text that the image was generated from" aria-describedby="prompt-note" .value=${live(text)}
          @input=${(/** @type {Event} */ { target }) => {
            this.#draft = { id: item.id, text: /** @type {HTMLTextAreaElement} */ (target).value };
          }}
          @keydown=${(/** @type {KeyboardEvent} */ event) => {
            if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
            event.preventDefault();
            this.#commit(item);
          }}
          @change=${() => this.#commit(item)}></textarea>
        <button class="primary">Score</button>
      </div>
      <p id="prompt-note" class="note">${promptNote(item)}</p>
    </form>`;
  }

  /** @param {Item} item */
  #commit(item) {
    if (this.#draft?.id !== item.id) return;
    const text = this.#draft.text.trim();
    this.#draft = null;
    if (text !== (item.prompt ?? "")) this.#gallery.collection.setPrompt(item.id, text === "" ? null : text);
    this.#gallery.requestUpdate();
  }

  /** @param {Result | null} result */
  #heatToggle(result) {
    const tasks = TASK_NAMES.filter((task) => result?.[task]?.patches.length);
    if (tasks.length === 0) return nothing;
    return html`<fieldset class="segments heat"><legend>Heat map</legend>
      ${[null, ...tasks].map((task) => html`<label><input type="radio" name="heat" value=${task ?? ""} .checked=${live(task === this.heat)} @change=${() => {
        this.heat = task;
        this.#gallery.requestUpdate();
      }}><span>${task === null ? "Off" : task === "perception" ? "Perception" : "Alignment"}</span></label>`)}</fieldset>`;
  }
}

/** @param {Gallery} gallery @param {Item} item */
export function picture(gallery, item) {
  const large = gallery.windows.large.get(item.id);
  if (large?.error) return html`<p class="none">${sentence(large.error)}</p>`;
  return large?.url ? html`<img src=${large.url} alt=${item.prompt || item.name} decoding="async" draggable="false" @error=${() => gallery.windows.large.fail(item.id)}>` : nothing;
}

/** @param {Result} result @param {TaskName | null} task */
function overlay(result, task) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "overlay");
  const shown = task && result[task];
  if (shown) drawPatches(svg, result, shown.patches);
  return svg;
}

/** @param {Result} result @param {TaskName | null} task */
function legend(result, task) {
  const shown = task && result[task];
  if (!shown) return nothing;
  const { low, high } = drawPatches(document.createElementNS("http://www.w3.org/2000/svg", "svg"), result, shown.patches);
  return element("p", { className: "legend" },
    element("span", {}, "lowest ", number(low, `${task}.patches.lowest`, 2)),
    element("i", { className: "scale-ramp" }),
    element("span", {}, "highest ", number(high, `${task}.patches.highest`, 2), " of 5"));
}

/** @type {Record<string, string>} */
const SOURCES = { typed: "Typed here.", csv: "From the CSV table.", given: "Given with the image.", sidecar: "Read from the text file of the image." };

/** @param {Item} item */
function promptNote({ prompt, promptSource, result, status }) {
  if (!prompt) return status === "scored" ? "The image has no prompt. Type the text that it was generated from to see its alignment." : "Without a text here, the prompt is read from the image's metadata.";
  const from = promptSource === null ? "" : (SOURCES[promptSource] ?? `Read from the image (${promptSource}).`);
  return `${from} Change it and press Enter to score again.${result?.promptTruncated
    ? " The prompt, or a sentence that contains it, is longer than the 75 tokens that CLIP reads. The rest is ignored." : ""}`;
}
