// @ts-check
// show.js — a published gallery: what `trainer score` wrote, in a shadow root. No model, no worker and no library.

import { addressOf } from "../common/addresses.js";
import { megabytes, ScoreError } from "../common/errors.js";
import { count, sentence } from "../ui/format.js";
import { Detail } from "./detail.js";
import { make } from "./dom.js";
import { rowOf, rowsIn } from "./rows.js";
import { styles } from "./style.js";
import { tile } from "./tiles.js";
import { toolbar } from "./toolbar.js";
import { shownRows, startView, TASKS } from "./selection.js";

/**
 * @typedef {import("./rows.js").Row} Row
 *
 * @typedef {(rows: { image: string, prompt: string | null }[], confirmDownload: (bytes: number) => Promise<boolean>, signal: AbortSignal) =>
 *   AsyncIterable<{ index: number, result: any, error: Error | null }>} ScoreRows  scores images that have no score, in order
 */

/** So many tiles are made at once: what a large screen shows, and some beyond. */
const CHUNK = 120;
/** Tiles are made this far ahead of where the page is. */
const AHEAD = "1500px";

export class Published {
  /** @type {ShadowRoot} */ #root;
  /** @type {Row[]} */ #rows = [];
  /** @type {Row[]} */ #shown = [];
  #view = startView();
  /** Of the rows that were seen, so that another order loads no picture again. @type {Map<Row, HTMLElement>} */ #tiles = new Map();
  #grid = make("ul", { class: "grid", role: "list", onkeydown: (/** @type {KeyboardEvent} */ event) => this.#onKey(event) });
  #end = make("div", { class: "end" });
  #said = make("p", { class: "said", role: "status" });
  #none = make("p", { class: "nothing", hidden: true }, "No image fits the search and the filters. ",
    make("button", { type: "button", onclick: () => this.#clear() }, "Show all"));
  #work = make("div", { class: "work", role: "status" });
  #clear = () => {};
  #detail = new Detail((row) => this.#focus(row));
  #seen = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && this.#more(), { rootMargin: AHEAD });
  #closing = new AbortController();

  /** @param {ShadowRoot} root  its slot shows what the page brought, until the table is there */
  constructor(root) {
    this.#root = root;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(styles);
    root.adoptedStyleSheets = [sheet];
    root.replaceChildren(make("slot"));
  }

  /** Ends all work. */
  close() {
    this.#closing.abort();
    this.#seen.disconnect();
  }

  /**
   * Fetches the table and shows it. When that fails, what the page brought stays, with the error above it.
   * @param {string} src
   * @param {ScoreRows | null} score  for rows without a score; null: they have none
   * @throws what went wrong, once it is shown
   */
  async load(src, score) {
    const { signal } = this.#closing;
    try {
      const url = new URL(addressOf(src, "a table of scores"));
      const { rows, notices } = rowsIn(await fetched(url, signal), url);
      this.#rows = rows;
      this.#show(notices, score);
    } catch (error) {
      if (signal.aborted) return;
      const { message } = /** @type {Error} */ (error);
      this.#root.replaceChildren(make("p", { class: "alarm", role: "alert" }, sentence(message)), make("slot"));
      throw error;
    }
  }

  /** @param {string[]} notices @param {ScoreRows | null} score */
  #show(notices, score) {
    const { element, clear } = toolbar(this.#rows, this.#view, () => this.#update());
    this.#clear = clear;
    const scored = this.#rows.filter(({ error }) => error === null);
    const shared = scored[0]?.notes.filter((note) => scored.every(({ notes }) => notes.includes(note))) ?? [];
    this.#root.replaceChildren(element,
      ...[...shared, ...notices].map((note) => make("p", { class: "banner" }, sentence(note))),
      this.#work, this.#said, this.#grid, this.#none, this.#end, this.#detail.element);
    this.#update();
    this.#seen.observe(this.#end);
    const open = this.#rows.filter((row) => row.error === null && row.image !== null && TASKS.every(({ task }) => row[task] === null));
    if (score !== null && open.length > 0) this.#offer(open, score);
  }

  #update() {
    this.#shown = shownRows(this.#rows, this.#view);
    const failed = this.#shown.filter(({ error }) => error !== null).length;
    const all = count(this.#rows.length, "image");
    this.#said.textContent = (this.#shown.length === this.#rows.length ? all : `${this.#shown.length.toLocaleString("en")} of ${all}`)
      + (failed > 0 ? `, ${failed.toLocaleString("en")} without scores` : "");
    this.#none.hidden = this.#shown.length > 0;
    this.#grid.replaceChildren();
    this.#more();
  }

  /** Makes the next tiles, if there are any. */
  #more() {
    const from = this.#grid.children.length;
    this.#grid.append(...this.#shown.slice(from, from + CHUNK).map((row) => this.#tile(row)));
    // The observer speaks of changes alone: the end may still be near.
    this.#seen.unobserve(this.#end);
    if (this.#grid.children.length < this.#shown.length) this.#seen.observe(this.#end);
  }

  /** @param {Row} row */
  #tile(row) {
    const known = this.#tiles.get(row) ?? tile(row, () => this.#detail.open(this.#shown, row));
    this.#tiles.set(row, known);
    return known;
  }

  /** Arrow keys go from tile to tile. @param {KeyboardEvent} event */
  #onKey(event) {
    const tiles = /** @type {HTMLElement[]} */ ([...this.#grid.children]);
    const place = tiles.findIndex((tile) => tile.contains(/** @type {Node} */ (event.target)));
    const { offsetTop } = tiles[0] ?? this.#grid;
    const columns = Math.max(1, tiles.findIndex((tile) => tile.offsetTop !== offsetTop));
    const moves = /** @type {Record<string, number>} */ ({ ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -place, End: tiles.length - 1 - place });
    const to = place + moves[event.key];
    if (place < 0 || !(to >= 0) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    if (to >= tiles.length - 1) this.#more();
    this.#focus(this.#shown[Math.min(to, this.#shown.length - 1)]);
  }

  /** @param {Row | undefined} row */
  #focus(row) {
    if (!row) return;
    const place = this.#shown.indexOf(row);
    while (place >= this.#grid.children.length) this.#more();
    /** @type {HTMLElement | null} */ (this.#tile(row).querySelector(".open"))?.focus();
  }

  /** Offers to score what has no score. @param {Row[]} rows @param {ScoreRows} score */
  #offer(rows, score) {
    this.#work.replaceChildren(make("button", { type: "button", onclick: () => this.#score(rows, score) },
      `Score ${count(rows.length, "image")} on this device`));
  }

  /** @param {Row[]} rows @param {ScoreRows} score */
  async #score(rows, score) {
    const { signal } = this.#closing;
    this.#work.textContent = "Preparing to score …";
    try {
      const images = rows.map(({ image, prompt }) => ({ image: /** @type {string} */ (image), prompt }));
      for await (const { index, result, error } of score(images, (bytes) => this.#ask(bytes), signal)) {
        const row = rows[index];
        if (error) row.error = error.message;
        else Object.assign(row, rowOf({ ...result, id: row.name, image: row.image }, document.baseURI));
        const old = this.#tiles.get(row);
        this.#tiles.delete(row);
        old?.replaceWith(this.#tile(row));
        this.#work.textContent = `${index + 1} of ${count(rows.length, "image")} scored`;
      }
      this.#update();
    } catch (error) {
      if (signal.aborted) return;
      this.#offer(rows.filter((row) => row.error === null && TASKS.every(({ task }) => row[task] === null)), score);
      this.#work.append(" ", sentence(/** @type {Error} */ (error).message));
    }
  }

  /** @param {number} bytes @returns {Promise<boolean>} */
  #ask(bytes) {
    return new Promise((resolve) => {
      const answer = (/** @type {boolean} */ isWanted) => {
        this.#work.textContent = isWanted ? "Loading the model …" : "";
        resolve(isWanted);
      };
      this.#work.replaceChildren(`To score, ${megabytes(bytes)} must be downloaded once. `,
        make("button", { type: "button", onclick: () => answer(true) }, "Download"), " ",
        make("button", { type: "button", onclick: () => answer(false) }, "Not now"));
    });
  }
}

/** @param {URL} url @param {AbortSignal} signal */
async function fetched(url, signal) {
  const response = await fetch(url, { signal }).catch((error) => {
    signal.throwIfAborted();
    throw new ScoreError("network", `the table ${url.href} could not be fetched: ${error.message}`);
  });
  if (!response.ok) throw new ScoreError("network", `the table ${url.href} could not be fetched: the server answered with ${response.status}`);
  return response.text();
}
