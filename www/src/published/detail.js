// @ts-check
// detail.js — one image, large: its picture, scores and what they add up from, prompt, and how it was scored.

import { sentence } from "../ui/format.js";
import { icon, make } from "./dom.js";
import { bar, figure, picture } from "./tiles.js";
import { SCALE, TASKS } from "./selection.js";

/**
 * @typedef {import("./rows.js").Row} Row
 * @typedef {import("./rows.js").Parts} Parts
 */

const [BACK, ON, CLOSE] = ["m14 5-7 7 7 7", "m10 5 7 7-7 7", "m6 6 12 12M18 6 6 18"];

export class Detail {
  /** @type {readonly Row[]} */ #rows = [];
  #place = 0;
  #stage = make("div", { class: "stage" });
  #panel = make("div", { class: "panel", tabindex: 0, role: "region", "aria-label": "Scores" });
  #said = make("span", { class: "place" });
  #back = this.#button("Previous image", BACK, () => this.#step(-1));
  #on = this.#button("Next image", ON, () => this.#step(1));
  element = make("dialog", { "aria-label": "Image", onkeydown: (/** @type {KeyboardEvent} */ event) => this.#onKey(event),
    onclose: () => this.#closed(this.#rows[this.#place]) },
    this.#stage,
    make("div", { class: "side" },
      make("div", { class: "tools" }, this.#back, this.#on, this.#said, this.#button("Close", CLOSE, () => this.element.close())),
      this.#panel));
  #closed;

  /** @param {(row: Row) => void} closed  gets the row that was shown last */
  constructor(closed) {
    this.#closed = closed;
  }

  /** @param {readonly Row[]} rows  those to step through @param {Row} row */
  open(rows, row) {
    this.#rows = rows;
    this.#place = rows.indexOf(row);
    this.#show();
    this.element.showModal();
  }

  /** @param {number} by */
  #step(by) {
    const place = this.#place + by;
    if (place < 0 || place >= this.#rows.length) return;
    this.#place = place;
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const by = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (by === 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.#step(by);
  }

  #show() {
    const row = this.#rows[this.#place];
    this.element.setAttribute("aria-label", row.name);
    this.#said.textContent = `${(this.#place + 1).toLocaleString("en")} of ${this.#rows.length.toLocaleString("en")}`;
    // A button that is disabled loses the focus, and with it the keys.
    this.#back.setAttribute("aria-disabled", String(this.#place === 0));
    this.#on.setAttribute("aria-disabled", String(this.#place === this.#rows.length - 1));
    const shown = picture(row);
    shown.removeAttribute("loading");
    this.#stage.replaceChildren(shown);
    this.#panel.replaceChildren(...contents(row));
    this.#panel.scrollTop = 0;
  }

  /** @param {string} label @param {string} path @param {() => void} press */
  #button(label, path, press) {
    return make("button", { type: "button", "aria-label": label, title: label, onclick: press }, icon(path));
  }
}

/** @param {Row} row */
function contents(row) {
  const { name, width, height, error, prompt, promptSource, notes, model, device, crops } = row;
  const facts = [["Size", width === null || height === null ? null : `${width} × ${height} pixels`], ["Crops", crops], ["Model", model], ["Device", device],
    ["Prompt from", prompt === null ? null : promptSource]];
  return [
    make("h2", {}, name),
    error === null
      ? make("div", { class: "large" }, ...TASKS.map((task) => score(row, task)))
      : make("p", { class: "why" }, sentence(error)),
    ...(prompt === null ? [] : [make("h3", {}, "Prompt"), make("p", { class: "prompt" }, prompt)]),
    ...notes.map((note) => make("p", { class: "note" }, sentence(note))),
    make("dl", { class: "facts" }, ...facts.filter(([, value]) => value !== null).flatMap(([label, value]) => [make("dt", {}, String(label)), make("dd", {}, String(value))])),
  ];
}

/** @param {Row} row @param {(typeof TASKS)[number]} task */
function score(row, { task, title, asks }) {
  const parts = row.parts[task];
  return make("section", { class: task },
    make("h3", {}, title),
    make("p", { class: "big" }, figure(row[task]), make("span", {}, ` of ${SCALE}`)),
    bar(row[task]),
    make("p", { class: "asks" }, asks),
    parts === null ? null : sum(parts));
}

/** @param {Parts} parts */
function sum({ alpha, qImage, qPatches, qFine }) {
  const terms = [["Whole image", alpha, qImage], ["Crops", 1 - alpha, qPatches], ["Words", null, qFine]];
  return make("table", {}, make("tbody", {}, ...terms.filter(([, weight, quality]) => quality !== null && weight !== 0).map(([label, weight, quality]) => make("tr", {},
    make("th", { scope: "row" }, String(label)),
    make("td", {}, `${weight === null || weight === 1 ? "" : `${Number(weight).toFixed(2)} × `}${Number(quality).toFixed(2)}`)))));
}
