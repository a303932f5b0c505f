// @ts-check
// tsp-gallery.js — the element <tsp-gallery>: its state and its actions. Its templates are in ui/.

import { LitElement, html, nothing } from "lit";
import { createRef, ref } from "lit/directives/ref.js";

import { Collection } from "../gallery/collection.js";
import { Results } from "../gallery/results.js";
import { Thumbnails } from "../gallery/thumbnails.js";
import { PublishedWithin } from "../published/within.js";
import { dropZone } from "../ui/add.js";
import { obey } from "../ui/commands.js";
import { Engine } from "../ui/engine.js";
import { count, sentence } from "../ui/format.js";
import { Grid } from "../ui/grid.js";
import { header } from "../ui/header.js";
import { Intake } from "../ui/intake.js";
import { images } from "../ui/styles-images.js";
import { scores } from "../ui/styles-scores.js";
import { base, frame } from "../ui/styles.js";
import { markName } from "../ui/tile.js";
import { toolbar } from "../ui/toolbar.js";
import { Windows } from "../ui/windows.js";

/**
 * @typedef {import("../gallery/types.js").Mark} Mark
 * @typedef {import("../engine/protocol.js").DeviceChoice} DeviceChoice
 */

/** The shortest time between two renderings of new scores. */
const FOLLOW_MS = 150;
/** On screens of this many device pixels, thumbnails have `SHARP_PX` instead of their default size. */
const SHARP_FROM_PX = 2500;
const SHARP_PX = 512;
/** The width of the element from which on the histograms are open at the start. */
const FILTERS_FROM_PX = 900;

/**
 * A gallery that scores images on the user's device: drop, sort, filter, mark, compare, export.
 *
 * Attributes may change at any time.
 *
 * With `src` it shows the scores in that table, and loads neither model nor worker.
 *
 * @element tsp-gallery
 * @attr {string} src - Address of a table of scores: JSON lines or CSV as `trainer score` writes them
 * @attr {boolean} live - With `src`: visitors may score rows that have no score
 * @attr {string} model - Address of a model.json; default: `model/model.json` in the folder of the library
 * @attr {"auto" | "webgpu" | "cpu"} device - The device for scoring
 * @attr {number} crops - The number of crops of each task: 1, 5 or 15
 * @attr {string} samples - Address of a samples.json: `[{ file, prompt }]`
 * @attr {boolean} show-samples - Shows the samples until other images are added
 * @attr {string} files - Folder of the library's worker and wasm, if no bundler places them
 * @attr {"light" | "dark"} theme - Default: that of the system
 * @slot title - The page's title
 * @slot subtitle - A text below the title
 * @slot banner - Content above the images
 * @fires {CustomEvent<Info>} tsp-ready - The loaded model and its device; again after each change
 * @fires {CustomEvent<Item>} tsp-scored - An image with its result
 * @fires {CustomEvent<{ ids: number[], mark: Mark }>} tsp-mark - Images were marked
 * @fires {CustomEvent<{ code: string, message: string }>} tsp-error - An error
 * @fires {CustomEvent<{ theme: "light" | "dark" }>} tsp-theme - The user chose light or dark
 * @cssprop --tsp-height - Height of the element
 * @cssprop --tsp-font - Font of all text
 * @cssprop --tsp-radius - Radius of corners
 * @cssprop --tsp-ground - Colour of the background
 * @cssprop --tsp-surface - Colour of cards and bars
 * @cssprop --tsp-well - Colour of fields
 * @cssprop --tsp-line - Colour of thin lines
 * @cssprop --tsp-edge - Colour of edges of controls
 * @cssprop --tsp-ink - Colour of text
 * @cssprop --tsp-soft - Colour of secondary text
 * @cssprop --tsp-accent - Colour of selected controls and images
 * @cssprop --tsp-on-accent - Colour of text on the accent
 * @cssprop --tsp-perception - Colour of perception
 * @cssprop --tsp-alignment - Colour of alignment
 * @csspart header - The top bar
 * @csspart device - The device and its speed
 * @csspart notice - A message
 * @csspart warning - The warning of the model
 * @csspart error - An error
 * @csspart progress - A progress bar
 * @csspart toolbar - Search, order and filters
 * @csspart histogram - The distribution of a score
 * @csspart scroller - The scrolling area
 * @csspart grid - The images
 * @csspart tile - One image
 * @csspart drop-zone - The area that is shown while there are no images
 * @csspart detail - The large view
 * @csspart compare - Two images side by side
 * @csspart dialog - A dialog
 */
export class TspGallery extends LitElement {
  static properties = {
    src: { type: String },
    live: { type: Boolean },
    model: { type: String },
    device: { type: String },
    crops: { type: Number },
    samples: { type: String },
    showSamples: { type: Boolean, attribute: "show-samples" },
    files: { type: String },
    theme: { type: String, reflect: true },
  };
  static styles = [base, frame, images, scores];

  #drawnAt = 0;
  #hasBegun = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #following;
  /** Undefined on a server. */
  #prefersDark = globalThis.matchMedia?.("(prefers-color-scheme: dark)");

  constructor() {
    super();
    /** @type {string | null | undefined} */ this.src = undefined;
    this.live = false;
    /** @type {string | undefined} */ this.model = undefined;
    /** @type {DeviceChoice | undefined} */ this.device = undefined;
    /** @type {number | undefined} */ this.crops = undefined;
    /** @type {string | undefined} */ this.samples = undefined;
    this.showSamples = false;
    /** @type {string | undefined} */ this.files = undefined;
    /** @type {"light" | "dark" | undefined} */ this.theme = undefined;

    this.collection = new Collection();
    this.#listen();
    const pixels = typeof innerWidth === "number" ? Math.max(innerWidth, innerHeight) * devicePixelRatio : 0;
    this.thumbnails = new Thumbnails({ collection: this.collection, side_px: pixels > SHARP_FROM_PX ? SHARP_PX : undefined });
    this.engine = new Engine(this);
    this.intake = new Intake(this);
    this.grid = new Grid(this);
    this.windows = new Windows(this);
    /** @type {import("lit/directives/ref.js").Ref<HTMLInputElement>} */ this.search = createRef();
    this.published = new PublishedWithin(this);
    /** @type {string[]} */ this.notices = [];
    this.hasFilters = false;
    /** The last message for screen readers. */
    this.said = "";
    /** Resolves when the store is open. Images are added afterwards. @type {Promise<void> | null} */ this.opened = null;
    /** @type {number} */ this.saidTenths = 0;
  }

  /** Renders changes of the collection and sends events. */
  #listen() {
    const { collection } = this;
    for (const type of ["change", "view", "progress"]) collection.addEventListener(type, () => this.#follow());
    collection.addEventListener("notice", (event) => this.notify(/** @type {CustomEvent} */ (event).detail.message));
    collection.addEventListener("progress", () => this.#sayProgress());
    /** Results that were sent. Other changes of an item, such as a mark, send no event. @type {WeakSet<object>} */
    const told = new WeakSet();
    collection.addEventListener("change", (event) => {
      for (const id of /** @type {CustomEvent<{ ids: number[] }>} */ (event).detail.ids) {
        const item = collection.get(id);
        if (!item) this.grid.selected.delete(id);
        else if (item.status === "scored" && item.result && !told.has(item.result)) {
          told.add(item.result);
          this.tell("tsp-scored", item);
        }
      }
    });
  }

  /** @returns {Promise<void>} */
  async #open() {
    this.collection.keepIn(await Results.open({ onNotice: (message) => this.notify(message) }));
    if (this.showSamples) await this.intake.addSamples();
  }

  connectedCallback() {
    super.connectedCallback();
    this.#begin();
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.published.close();
    this.#end();
    this.thumbnails.clear();
  }

  /** Lets go of the page and of the scorer. */
  #end() {
    this.intake.unmount();
    this.engine.close();
  }

  async #begin() {
    await this.updateComplete;
    // The element was removed again in the same task.
    if (!this.isConnected) return;
    this.#hasBegun = true;
    if (this.src) return this.published.show(this.src, this.live);
    this.intake.mount();
    this.hasFilters = this.clientWidth >= FILTERS_FROM_PX;
    if (this.opened === null) this.engine.wanted = this.#asked;
    this.engine.load();
    this.opened ??= this.#open();
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    if (changed.has("src") || changed.has("live")) this.#turn(changed);
    if (this.src) return;
    this.#drawnAt = performance.now();
    if (this.opened === null) return; // `#begin` will load the first model.
    // Only changed attributes count: the user may have chosen other values since.
    const changes = Object.fromEntries(Object.entries(this.#asked).filter(([name]) => changed.has(name)));
    if ("model" in changes || "files" in changes) {
      Object.assign(this.engine.wanted, changes);
      this.engine.load();
    } else if (Object.keys(changes).length > 0) this.engine.configure(changes);
  }

  /** From scoring to a table of scores, to another table, or back. @param {Map<PropertyKey, unknown>} changed */
  #turn(changed) {
    const before = changed.has("src") ? changed.get("src") : this.src;
    if (!this.#hasBegun || (!before && !this.src)) return;
    if (!before) this.#end();
    else if (!this.src) this.published.close();
    this.#begin();
  }

  get #asked() {
    const { model, device, crops, files } = this;
    return { model: model ?? undefined, device: device ?? /** @type {const} */ ("auto"), crops: crops ?? undefined, files: files ?? undefined };
  }

  render() {
    if (this.src) return html`<div class="scroller" part="scroller"><div class="table"><slot></slot></div></div>`;
    const isEmpty = this.collection.items.length === 0;
    return html`<div ${ref(this.grid.scroller)} class="scroller ${this.intake.isOver ? "over" : ""}" part="scroller">
        ${header(this)}
        ${isEmpty ? dropZone(this) : html`${toolbar(this)}<main>${this.grid.render()}${
          this.collection.shown.length === 0 ? html`<p class="nothing">No image matches the search and the filters. <button type="button" @click=${() => this.clearView()}>Show all</button></p>` : nothing}</main>`}
      </div>
      ${this.windows.render()}
      <p class="hidden" role="status">${this.said}</p>`;
  }

  /** Adds images, sidecar files and CSV tables, as a drop does. @param {Iterable<File>} files */
  add(files) {
    return this.intake.addFiles(files);
  }

  // Actions of the user.

  /** @param {KeyboardEvent} event */
  onKey(event) {
    obey(this, event);
  }

  focusSearch() {
    this.search.value?.focus();
  }

  /** @param {KeyboardEvent} event */
  onSearchKey(event) {
    const first = this.collection.shown[0];
    if ((event.key !== "ArrowDown" && event.key !== "Enter") || first === undefined) return;
    event.preventDefault();
    this.grid.focus(first);
  }

  /** @param {number[]} ids @param {Mark} mark */
  mark(ids, mark) {
    if (ids.length === 0) return;
    this.collection.setMark(ids, mark);
    this.tell("tsp-mark", { ids, mark });
    this.say(ids.length === 1 ? `${this.collection.get(ids[0])?.name}: ${markName(mark)}` : `${count(ids.length, "image")}: ${markName(mark)}`);
  }

  /** @param {number[]} ids */
  takeOut(ids) {
    this.collection.remove(ids);
    this.say(`${count(ids.length, "image")} removed from the list.`);
  }

  /** @param {Partial<import("../gallery/types.js").View>} view */
  setView(view) {
    this.collection.view = view;
    this.requestUpdate();
  }

  clearView() {
    this.setView({ search: "", marks: [], status: null, perception: null, alignment: null });
  }

  toggleFilters() {
    this.hasFilters = !this.hasFilters;
    this.requestUpdate();
  }

  /** @param {number} size */
  setTileSize(size) {
    this.grid.tileSize = size;
    this.requestUpdate();
  }

  /** @param {import("../engine/protocol.js").ModelSource | undefined} model */
  setModel(model) {
    this.windows.close();
    this.engine.wanted.model = model;
    this.engine.load();
  }

  /** Renders new scores, at most once per {@link FOLLOW_MS}, and at once when all images are scored. */
  #follow() {
    clearTimeout(this.#following);
    const wait = this.collection.progress.waiting === 0 ? 0 : this.#drawnAt + FOLLOW_MS - performance.now();
    if (wait <= 0) this.requestUpdate();
    else this.#following = setTimeout(() => this.requestUpdate(), wait);
  }

  // Colours and messages.

  isDark() {
    return this.theme ? this.theme === "dark" : this.#prefersDark?.matches === true;
  }

  switchTheme() {
    this.theme = this.isDark() ? "light" : "dark";
    this.tell("tsp-theme", { theme: this.theme });
  }

  /** @param {string} message */
  notify(message) {
    if (!this.notices.includes(message)) this.notices = [...this.notices, message];
    this.say(sentence(message));
  }

  /** @param {string} notice */
  dismiss(notice) {
    this.notices = this.notices.filter((other) => other !== notice);
    this.requestUpdate();
  }

  /** @param {string} text */
  say(text) {
    this.said = text;
    this.requestUpdate();
  }

  /** @param {string} type @param {unknown} detail */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  /** Reports each tenth of the work to screen readers. */
  #sayProgress() {
    const { total, scored, failed, waiting, fromStore } = this.collection.progress;
    const tenths = total === 0 ? 0 : Math.floor((10 * (total - waiting)) / total);
    if (tenths === this.saidTenths || total === 0) return;
    this.saidTenths = tenths;
    if (waiting > 0) this.say(`${scored + failed} of ${count(total, "image")} scored`);
    else this.say(`All done: ${scored} scored${fromStore > 0 ? `, ${fromStore} of them on an earlier visit` : ""}${failed > 0 ? `, ${failed} failed` : ""}.`);
  }
}
