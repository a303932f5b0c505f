// @ts-check
// grid.js — the virtualised grid: which tiles exist, which one has the focus, which are selected. A tile is drawn by tile.js.

import { Virtualizer, elementScroll, observeElementOffset, observeElementRect } from "@tanstack/virtual-core";
import { html } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { style } from "./style.js";

import { tile } from "./tile.js";

/**
 * @typedef {import("../elements/tsp-gallery.js").TspGallery} Gallery
 * @typedef {import("./keyboard.js").Move} Move
 */

/** Between tiles, in CSS pixels. */
const GAP_PX = 10;
/** A tile's lines of scores below its picture, as in styles-images.js. */
const CAPTION_REM = 2.75;
/** Rows that are ready above and below; two are enough for a fast wheel, and more cost time in every render. */
const OVERSCAN = 2;

export class Grid {
  /** The wanted width of a tile at a font size of 16 pixels; columns are as many as fit. */
  tileSize = 190;
  /** @type {Set<number>} */ selected = new Set();
  /** The tile in the tab order. @type {number | null} */ focused = null;
  /** Where an extending selection starts. @type {number | null} */ #anchor = null;
  #columns = 1;
  #width = 0;
  /** The page's font size in pixels, which the reader may have changed: tiles grow with their text. */
  #rem = 16;
  /** Its place, so that a tile that leaves the view hands the focus to its neighbour. */
  #focusedIndex = 0;
  #mustFocus = false;
  #visible = "";
  /** @type {Gallery} */ #gallery;
  /** @type {Virtualizer<HTMLElement, HTMLElement>} */ #rows;
  /** @type {(() => void) | undefined} */ #unmount;
  /** @type {ResizeObserver | undefined} */ #resized;

  /** @param {Gallery} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
    this.#rows = new Virtualizer(this.#options());
  }

  /** Once the scroller is there. */
  mount() {
    this.#unmount = this.#rows._didMount();
    this.#resized = new ResizeObserver(() => {
      const width = this.#gallery.renderRoot.querySelector(".grid")?.clientWidth ?? 0;
      if (width !== this.#width) this.#gallery.requestUpdate();
    });
    const scroller = this.#scroller();
    if (scroller) this.#resized.observe(scroller);
  }

  unmount() {
    this.#unmount?.();
    this.#resized?.disconnect();
  }

  get #ids() {
    return this.#gallery.collection.shown;
  }

  #scroller() {
    return /** @type {HTMLElement | null} */ (this.#gallery.renderRoot?.querySelector(".scroller") ?? null);
  }

  /** @returns {import("@tanstack/virtual-core").VirtualizerOptions<HTMLElement, HTMLElement>} */
  #options() {
    const grid = /** @type {HTMLElement | null} */ (this.#gallery.renderRoot?.querySelector(".grid") ?? null);
    const scroller = this.#scroller();
    const bar = /** @type {HTMLElement | null} */ (this.#gallery.renderRoot?.querySelector(".toolbar") ?? null);
    const top = grid && scroller ? grid.getBoundingClientRect().top - scroller.getBoundingClientRect().top + scroller.scrollTop : 0;
    return {
      count: Math.ceil(this.#ids.length / this.#columns),
      getScrollElement: () => this.#scroller(),
      estimateSize: () => this.#tileWidth() + this.#rem * CAPTION_REM + GAP_PX,
      overscan: OVERSCAN,
      scrollMargin: top,
      scrollPaddingStart: (bar?.offsetHeight ?? 0) + GAP_PX,
      scrollPaddingEnd: GAP_PX,
      observeElementRect,
      observeElementOffset,
      scrollToFn: elementScroll,
      onChange: () => this.#gallery.requestUpdate(),
    };
  }

  #tileWidth() {
    return Math.max(1, (this.#width - GAP_PX * (this.#columns - 1)) / this.#columns);
  }

  render() {
    const ids = this.#ids;
    const { collection } = this.#gallery;
    const index = this.focused === null ? -1 : ids.indexOf(this.focused);
    if (index >= 0) this.#focusedIndex = index;
    else this.focused = ids[Math.min(this.#focusedIndex, ids.length - 1)] ?? null;
    const rows = this.#rows.getVirtualItems();
    const margin = this.#rows.options.scrollMargin;
    return html`<div class="grid" part="grid" role="grid" aria-label="Images" aria-multiselectable="true"
      aria-rowcount=${this.#rows.options.count} aria-colcount=${this.#columns}
      ${style({ height: `${this.#rows.getTotalSize()}px` })}
      @keydown=${(/** @type {KeyboardEvent} */ event) => this.#gallery.onKey(event)}
      @focusin=${(/** @type {FocusEvent} */ event) => this.#onFocus(event)}
      @click=${(/** @type {MouseEvent} */ event) => this.#onClick(event)}>
      ${repeat(rows, ({ index }) => index, ({ index: row, start }) => html`<div class="tiles" role="row" aria-rowindex=${row + 1}
        ${style({ transform: `translateY(${start - margin}px)`, "grid-template-columns": `repeat(${this.#columns}, minmax(0, 1fr))`, gap: `${GAP_PX}px` })}>
        ${repeat(ids.slice(row * this.#columns, (row + 1) * this.#columns), (id) => id, (id, column) => {
          const item = collection.get(id);
          return item && tile(item, {
            column: column + 1,
            isSelected: this.selected.has(id),
            isFocusable: id === this.focused,
            thumbnails: this.#gallery.thumbnails,
          });
        })}
      </div>`)}
    </div>`;
  }

  /** After each render: measures, tells the queue what is seen, and moves the focus where it was sent. */
  updated() {
    const grid = /** @type {HTMLElement | null} */ (this.#gallery.renderRoot.querySelector(".grid"));
    if (!grid) return;
    const width = grid.clientWidth;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const columns = Math.max(2, Math.floor((width + GAP_PX) / ((this.tileSize * rem) / 16 + GAP_PX)));
    const before = this.#rows.options;
    const hasChanged = width !== this.#width || columns !== this.#columns || rem !== this.#rem;
    this.#rem = rem;
    this.#width = width;
    this.#columns = columns;
    const options = this.#options();
    this.#rows.setOptions(options);
    if (hasChanged) this.#rows.measure();
    this.#rows._willUpdate();
    if (hasChanged || before.count !== options.count || Math.abs(before.scrollMargin - this.#rows.options.scrollMargin) > 1) this.#gallery.requestUpdate();
    this.#tellVisible();
    if (this.#mustFocus) {
      const cell = /** @type {HTMLElement | null} */ (grid.querySelector('[role="gridcell"][tabindex="0"]'));
      if (cell) {
        this.#mustFocus = false;
        cell.focus({ preventScroll: true });
      }
    }
  }

  #tellVisible() {
    const rows = this.#rows.range;
    const ids = rows ? this.#ids.slice(rows.startIndex * this.#columns, (rows.endIndex + 1) * this.#columns) : [];
    const key = ids.join(" ");
    if (key === this.#visible) return;
    this.#visible = key;
    this.#gallery.collection.setVisible(ids);
  }

  /** Puts the focus on an image and scrolls to it. @param {number} id */
  focus(id) {
    const index = this.#ids.indexOf(id);
    if (index < 0) return;
    this.focused = id;
    this.#focusedIndex = index;
    this.#mustFocus = true;
    this.#rows.scrollToIndex(Math.floor(index / this.#columns), { align: "auto" });
    this.#gallery.requestUpdate();
  }

  /** @param {Move} move */
  move({ to, isExtending }) {
    const ids = this.#ids;
    const index = this.focused === null ? -1 : ids.indexOf(this.focused);
    if (index < 0) return;
    const page = Math.max(1, Math.floor((this.#scroller()?.clientHeight ?? 0) / (this.#tileWidth() + this.#rem * CAPTION_REM + GAP_PX))) * this.#columns;
    const steps = { left: -1, right: 1, up: -this.#columns, down: this.#columns, first: -index, last: ids.length, "page-up": -page, "page-down": page };
    const wanted = index + steps[to];
    // Up and down stay in their column at the edges.
    const isVertical = Math.abs(steps[to]) === this.#columns && (to === "up" || to === "down");
    const next = ids[isVertical && (wanted < 0 || wanted >= ids.length) ? index : Math.min(ids.length - 1, Math.max(0, wanted))];
    if (isExtending) this.#extendTo(next);
    else this.#anchor = null;
    this.focus(next);
  }

  /** @param {number} id */
  toggle(id) {
    if (!this.selected.delete(id)) this.selected.add(id);
    this.#anchor = id;
    this.#gallery.requestUpdate();
  }

  selectAll() {
    this.selected = new Set(this.#ids);
    this.#gallery.requestUpdate();
  }

  clearSelection() {
    this.selected.clear();
    this.#anchor = null;
    this.#gallery.requestUpdate();
  }

  /** What a command is for: the selection, or the image with the focus where it lies outside. */
  targets() {
    const { focused } = this;
    if (focused !== null && !this.selected.has(focused)) return [focused];
    return this.#ids.filter((id) => this.selected.has(id));
  }

  /** @param {number} id */
  #extendTo(id) {
    const ids = this.#ids;
    this.#anchor ??= this.focused ?? id;
    const [from, to] = [ids.indexOf(this.#anchor), ids.indexOf(id)].sort((a, b) => a - b);
    this.selected = new Set(ids.slice(Math.max(0, from), to + 1));
  }

  /** @param {Event} event */
  #idOf(event) {
    const cell = event.target instanceof Element ? event.target.closest("[data-id]") : null;
    return cell instanceof HTMLElement ? Number(cell.dataset.id) : null;
  }

  /** @param {FocusEvent} event */
  #onFocus(event) {
    const id = this.#idOf(event);
    if (id === null || id === this.focused) return;
    this.focused = id;
    this.#gallery.requestUpdate();
  }

  /** @param {MouseEvent} event */
  #onClick(event) {
    const id = this.#idOf(event);
    if (id === null) return;
    if (event.shiftKey) {
      this.#extendTo(id);
      this.focus(id);
    } else if (event.ctrlKey || event.metaKey || (event.target instanceof Element && event.target.closest(".pick"))) {
      this.toggle(id);
      this.focus(id);
    } else {
      this.focused = id;
      this.#gallery.open(id);
    }
  }
}
