// @ts-check
// grid.js — the virtualised grid: the visible tiles, the focus and the selection. tile.js renders a tile. All rows have the same
// height, so their positions need no library.

import { html } from "lit";
import { createRef, ref } from "lit/directives/ref.js";
import { repeat } from "lit/directives/repeat.js";

import { style } from "./style.js";
import { tile } from "./tile.js";

/**
 * @template {Element} T
 * @typedef {import("lit/directives/ref.js").Ref<T>} Ref
 */

/**
 * @typedef {import("./gallery-element.js").GalleryElement} Gallery
 * @typedef {import("./keyboard.js").Move} Move
 * @typedef {import("lit").ReactiveController} ReactiveController
 */

/** The gap between tiles, in CSS pixels. */
const GAP_PX = 10;
/** The height of the scores below a picture, as in styles-images.js. */
const CAPTION_REM = 2.75;
/** The factor by which tiles grow if there are only a few. */
const MAX_GROWTH = 1.7;
/** The number of rendered rows above and below the visible ones. Two are enough for fast scrolling. */
const OVERSCAN = 2;

/** A lit controller. @implements {ReactiveController} */
export class Grid {
  /** The scrolling area around the grid. @type {Ref<HTMLElement>} */ scroller = createRef();
  /** The bar that may lie over the upper rows. @type {Ref<HTMLElement>} */ toolbar = createRef();
  /** @type {Ref<HTMLElement>} */ #grid = createRef();
  /** The smallest width of a tile at a font size of 16 pixels. */
  tileSize = 190;
  /** @type {Set<number>} */ selected = new Set();
  /** The tile with the focus, which is in the tab order. @type {number | null} */ focused = null;
  /** The start of a selection that is extended. @type {number | null} */ #anchor = null;
  #columns = 1;
  #width = 0;
  /** The font size of the page in pixels. Tiles grow with it. */
  #rem = 16;
  /** The place of the focused tile. If it is removed, the tile at this place gets the focus. */
  #focusedIndex = 0;
  #mustFocus = false;
  #visible = "";
  /** @type {Gallery} */ #gallery;
  /** The first rendered row, and the one after the last. */
  #first = 0;
  #end = 0;
  /** The scrolling area whose size and position are watched. @type {HTMLElement | null} */ #watched = null;
  /** @type {ResizeObserver | undefined} */ #resized;

  /** @param {Gallery} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
    gallery.addController(this);
  }

  hostUpdated() {
    this.#watch(this.scroller.value ?? null);
    this.#measure();
    if (!this.#mustFocus) return;
    /** @type {HTMLElement | null | undefined} */
    const cell = this.#grid.value?.querySelector('[role="gridcell"][tabindex="0"]');
    if (!cell) return;
    this.#mustFocus = false;
    cell.focus({ preventScroll: true });
  }

  hostDisconnected() {
    this.#watch(null);
  }

  /** @param {HTMLElement | null} scroller */
  #watch(scroller) {
    if (scroller === this.#watched) return;
    this.#resized?.disconnect();
    this.#watched?.removeEventListener("scroll", this.#measure);
    this.#watched = scroller;
    if (!scroller) return;
    this.#resized = new ResizeObserver(this.#measure);
    this.#resized.observe(scroller);
    scroller.addEventListener("scroll", this.#measure, { passive: true });
  }

  get #ids() {
    return this.#gallery.collection.shown;
  }

  get #rowHeight() {
    return (this.#width - GAP_PX * (this.#columns - 1)) / this.#columns + this.#rem * CAPTION_REM + GAP_PX;
  }

  get #rowCount() {
    return Math.ceil(this.#ids.length / this.#columns);
  }

  render() {
    const ids = this.#ids;
    const { collection } = this.#gallery;
    const index = this.focused === null ? -1 : ids.indexOf(this.focused);
    if (index >= 0) this.#focusedIndex = index;
    else this.focused = ids[Math.min(this.#focusedIndex, ids.length - 1)] ?? null;
    const rows = Array.from({ length: Math.max(0, this.#end - this.#first) }, (_, index) => this.#first + index);
    return html`<div ${ref(this.#grid)} class="grid" part="grid" role="grid" aria-label="Images" aria-multiselectable="true"
      aria-rowcount=${this.#rowCount} aria-colcount=${this.#columns}
      ${style({ height: `${this.#rowCount * this.#rowHeight}px` })}
      @keydown=${(/** @type {KeyboardEvent} */ event) => this.#gallery.onKey(event)}
      @focusin=${(/** @type {FocusEvent} */ event) => this.#onFocus(event)}
      @click=${(/** @type {MouseEvent} */ event) => this.#onClick(event)}>
      ${repeat(rows, (row) => row, (row) => html`<div class="tiles" role="row" aria-rowindex=${row + 1}
        ${style({ transform: `translateY(${row * this.#rowHeight}px)`, "grid-template-columns": `repeat(${this.#columns}, minmax(0, 1fr))`, gap: `${GAP_PX}px` })}>
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

  /** Finds the rows to render, renders again if they changed, and reports the visible images to the collection. */
  #measure = () => {
    const [grid, scroller] = [this.#grid.value, this.scroller.value];
    if (!grid || !scroller) return;
    const width = grid.clientWidth;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const fit = (/** @type {number} */ size) => Math.max(2, Math.floor((width + GAP_PX) / ((size * rem) / 16 + GAP_PX)));
    const columns = Math.min(fit(this.tileSize), Math.max(fit(this.tileSize * MAX_GROWTH), this.#ids.length));
    const isResized = width !== this.#width || rem !== this.#rem || columns !== this.#columns;
    this.#width = width;
    this.#rem = rem;
    this.#columns = columns;

    const above = scroller.getBoundingClientRect().top - grid.getBoundingClientRect().top;
    const seen = Math.max(0, Math.floor(above / this.#rowHeight));
    const seenEnd = Math.min(this.#rowCount, Math.ceil((above + scroller.clientHeight) / this.#rowHeight));
    const first = Math.max(0, seen - OVERSCAN);
    const end = Math.min(this.#rowCount, seenEnd + OVERSCAN);
    if (isResized || first !== this.#first || end !== this.#end) this.#gallery.requestUpdate();
    this.#first = first;
    this.#end = end;

    const ids = this.#ids.slice(seen * columns, seenEnd * columns);
    const key = ids.join(" ");
    if (key === this.#visible) return;
    this.#visible = key;
    this.#gallery.collection.setVisible(ids);
  };

  /** Focuses an image and scrolls to it. @param {number} id */
  focus(id) {
    const index = this.#ids.indexOf(id);
    if (index < 0) return;
    this.focused = id;
    this.#focusedIndex = index;
    this.#mustFocus = true;
    this.#scrollTo(Math.floor(index / this.#columns));
    this.#gallery.requestUpdate();
  }

  /** Scrolls as little as necessary. The row must not be under the toolbar. @param {number} row */
  #scrollTo(row) {
    const [grid, scroller, bar] = [this.#grid.value, this.scroller.value, this.toolbar.value];
    if (!grid || !scroller) return;
    const head = (bar && getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0) + GAP_PX;
    const top = grid.getBoundingClientRect().top - scroller.getBoundingClientRect().top + row * this.#rowHeight;
    const bottom = top + this.#rowHeight;
    if (top < head) scroller.scrollTop += top - head;
    else if (bottom > scroller.clientHeight) scroller.scrollTop += bottom - scroller.clientHeight;
  }

  /** @param {Move} move */
  move({ to, isExtending }) {
    const ids = this.#ids;
    const index = this.focused === null ? -1 : ids.indexOf(this.focused);
    if (index < 0) return;
    const page = Math.max(1, Math.floor((this.scroller.value?.clientHeight ?? 0) / this.#rowHeight)) * this.#columns;
    const steps = { left: -1, right: 1, up: -this.#columns, down: this.#columns, first: -index, last: ids.length, "page-up": -page, "page-down": page };
    const wanted = index + steps[to];
    // At the first and the last row, up and down do nothing.
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

  /** The selected images that the view shows. */
  get chosen() {
    return this.selected.size === 0 ? [] : this.#ids.filter((id) => this.selected.has(id));
  }

  /** The images that a command applies to: the focused image, or the selection if it is part of it. */
  targets() {
    const { focused } = this;
    return focused !== null && !this.selected.has(focused) ? [focused] : this.chosen;
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
      this.#gallery.windows.open(id);
    }
  }
}
