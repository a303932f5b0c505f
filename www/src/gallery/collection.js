// @ts-check
// collection.js — the images of a gallery with their states, prompts, marks and results. The elements draw what it holds.

import { toCsv, toJson } from "./export.js";
import { Frame } from "./frame.js";
import { List } from "./list.js";
import { progressOf } from "./progress.js";
import { matchTable } from "./prompts.js";
import { Reader } from "./reader.js";
import { Scoring } from "./scoring.js";
import { Shown } from "./shown.js";
import { Sidecars } from "./sidecars.js";
import { Wanted } from "./wanted.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").Mark} Mark
 * @typedef {import("./types.js").Progress} Progress
 * @typedef {import("./types.js").Scorer} Scorer
 * @typedef {import("./types.js").Table} Table
 * @typedef {import("./types.js").View} View
 * @typedef {import("./work.js").Work} Work
 */

/**
 * The images of a gallery. It sends CustomEvents, at most one of each type per frame:
 * - "change" `{ ids }`: items were added, changed or removed; `get` returns nothing for a removed one
 * - "view": `shown` changed
 * - "progress": `progress` changed
 * - "notice" `{ message }`: a message for the user
 */
export class Collection extends EventTarget {
  #list = new List();
  #shown = new Shown();
  #wanted = new Wanted(this.#list.works);
  /** Images that are already in the collection. They are removed with the next frame. @type {Set<number>} */ #twice = new Set();
  /** @type {Table[]} */ #tables = [];
  #sidecars;
  #reader;
  #scoring;
  #frame;

  /** @param {{ scorer?: Scorer, results?: import("./results.js").Results }} [parts] */
  constructor({ scorer, results } = {}) {
    super();
    /** @type {(work: Work) => void} */
    const changed = (work) => this.#touch(work.item.id);
    this.#sidecars = new Sidecars(changed);
    this.#reader = new Reader({
      changed,
      opened: (work) => {
        if (this.#list.isTwice(work)) this.#takeOut(work);
      },
    });
    this.#scoring = new Scoring({
      wanted: this.#wanted,
      changed,
      notice: (message) => this.#dispatch("notice", { message }),
      outdated: () => this.#outdate(),
    }, this.#reader);
    this.#frame = new Frame((ids, isViewNew) => this.#flush(ids, isViewNew));
    if (results) this.keepIn(results);
    if (scorer) this.attach(scorer);
  }

  /** Stores results, marks and prompts for the next visit. Call it before images are added. @param {import("./results.js").Results} results */
  keepIn(results) {
    this.#reader.results = results;
  }

  /** All items in the order in which they were added. @returns {readonly Item[]} */
  get items() {
    return this.#list.items;
  }

  /** @param {number} id */
  get(id) {
    return this.#list.works.get(id)?.item;
  }

  /** Opens the file of an item. @param {number} id @param {AbortSignal} [signal] @returns {Promise<Blob>} */
  async blob(id, signal) {
    const work = this.#list.works.get(id);
    if (!work) throw new Error("this image is no longer in the collection");
    return work.blob ?? work.entry.blob(signal);
  }

  /**
   * Adds images and returns their ids. A file that is already in the collection (same path, size and time) is not added again. If
   * size and time are not known before the file is opened, it is removed then.
   * @param {Iterable<Entry>} entries
   */
  add(entries) {
    const ids = [];
    for (const entry of entries) {
      const work = this.#list.add(entry);
      if (!work) continue;
      this.#sidecars.add(work);
      ids.push(work.item.id);
      this.#frame.touch(work.item.id);
    }
    if (ids.length > 0) for (const table of this.#tables) this.#applyTable(table);
    this.#wanted.renew();
    this.#show();
    this.#scoring.wake();
    return ids;
  }

  /** Takes prompts from a CSV file, for present and future images. Typed prompts take precedence. @param {Table} table @returns {import("./types.js").TableReport} */
  addPrompts(table) {
    this.#tables.push(table);
    const report = this.#applyTable(table);
    this.#scoring.wake();
    return { ...report, notices: [...table.notices, ...report.notices] };
  }

  /** @param {Table} table */
  #applyTable(table) {
    const { prompts, notices } = matchTable(table, this.#list.items);
    for (const [id, prompt] of prompts) this.#ask(/** @type {Work} */ (this.#list.works.get(id)), "tabled", prompt);
    return { applied: prompts.size, notices };
  }

  /** Sets the prompt and scores the image next, even while paused. Blank or null: the prompt of the sidecar file or the image. @param {number} id @param {string | null} text */
  setPrompt(id, text) {
    const work = this.#list.works.get(id);
    if (!work) return;
    const isNew = this.#ask(work, "typed", text?.trim() || null);
    this.#reader.keepNote(work);
    if (!isNew && (work.item.status === "scored" || work.item.status === "working")) return;
    if (work.item.status === "failed") this.#again(work);
    work.hold(false);
    this.#wanted.edit(work);
    this.#scoring.wake();
  }

  /** Returns whether the image must be scored again. @param {Work} work @param {"typed" | "tabled"} source @param {string | null} prompt */
  #ask(work, source, prompt) {
    const isNew = work.setPrompt(source, prompt);
    if (isNew) this.#again(work);
    work.showPrompt();
    this.#touch(work.item.id);
    return isNew;
  }

  /** Marks images. A mark is stored by the hash of the image. @param {Iterable<number>} ids @param {Mark} mark */
  setMark(ids, mark) {
    for (const id of ids) {
      const work = this.#list.works.get(id);
      if (!work || work.item.mark === mark) continue;
      work.setMark(mark);
      this.#reader.keepNote(work);
      this.#touch(id);
    }
    this.#show();
  }

  /** @param {Iterable<number>} ids */
  remove(ids) {
    for (const work of this.#list.delete(ids)) {
      work.drop();
      this.#frame.touch(work.item.id);
    }
    this.#wanted.renew();
    this.#show();
    this.#scoring.wake();
  }

  /** Scores failed images again. @param {Iterable<number>} ids */
  retry(ids) {
    for (const id of ids) {
      const work = this.#list.works.get(id);
      if (work?.item.status === "failed") this.#again(work);
    }
    this.#scoring.wake();
  }

  /** @param {Work} work */
  #again(work) {
    work.again();
    this.#wanted.renew();
    this.#touch(work.item.id);
  }

  /** Scores all images again, after a change of the model or the crops. */
  #outdate() {
    for (const work of this.#list.works.values()) if (work.item.status !== "failed") this.#again(work);
  }

  get view() {
    return this.#shown.view;
  }

  /** Changes the given fields of the view, and recomputes `shown`. @param {Partial<View>} view */
  set view(view) {
    this.#shown.view = { ...this.#shown.view, ...view };
    this.#show();
  }

  /** The ids of the images that the view shows, in its order. @returns {readonly number[]} */
  get shown() {
    return this.#shown.ids;
  }

  #show() {
    if (!this.#shown.renew(this.#list.items)) return;
    this.#wanted.setShown(this.#shown.ids);
    this.#frame.touchView();
  }

  /** The histogram of the images that the view would show without its range on this task. @param {import("./types.js").TaskName} task @param {number} [bins] */
  histogram(task, bins = 25) {
    return this.#shown.histogram(this.#list.items, task, bins);
  }

  /** Sets the scorer, at any time. @param {Scorer} scorer */
  attach(scorer) {
    this.#scoring.use(scorer);
  }

  detach() {
    this.#scoring.use(null);
  }

  /** Sets the images on the screen, which are scored first. @param {Iterable<number>} ids */
  setVisible(ids) {
    this.#wanted.setVisible(ids);
  }

  /** Stops after the images in progress. */
  pause() {
    this.#scoring.isPaused = true;
    this.#frame.ask();
  }

  /** Continues after `pause` and `cancel`. */
  resume() {
    this.#scoring.isPaused = false;
    for (const work of this.#list.works.values()) if (work.item.isHeld) this.#hold(work, false);
    this.#wanted.renew();
    this.#frame.ask();
    this.#scoring.wake();
  }

  /** Holds the images in progress and all waiting ones until `resume`. Images that are added later are scored. */
  cancel() {
    for (const work of this.#list.works.values()) {
      if (work.item.status === "working") work.drop();
      if (work.item.status === "waiting") this.#hold(work, true);
    }
    this.#wanted.renew();
  }

  /**
   * @param {Work} work
   * @param {boolean} isHeld
   */
  #hold(work, isHeld) {
    work.hold(isHeld);
    this.#touch(work.item.id);
  }

  /** @returns {Progress} */
  get progress() {
    return progressOf(this.#list.items, this.#scoring.median, this.#scoring.isPaused);
  }

  /** The scores of the given images, or of all images that the view shows. @param {Iterable<number>} [ids] */
  exportCsv(ids) {
    return toCsv(this.#listed(ids));
  }

  /** As `exportCsv`, with the whole results. @param {Iterable<number>} [ids] */
  exportJson(ids) {
    return toJson(this.#listed(ids));
  }

  /** The names of files with this mark, one per line, in the order of the view. Hidden ones come last. @param {Mark} mark */
  names(mark) {
    const ids = new Set([...this.#shown.ids, ...this.#list.items.map(({ id }) => id)]);
    return this.#listed(ids).filter((item) => item.mark === mark).map(({ name }) => `${name}\n`).join("");
  }

  /** @param {Iterable<number>} [ids] */
  #listed(ids = this.#shown.ids) {
    return [...ids].flatMap((id) => this.get(id) ?? []);
  }

  /** Stops the work and detaches the scorer. The store of results stays open. */
  close() {
    this.detach();
    this.#sidecars.close();
    this.#frame.close();
  }

  /** @param {number} id */
  #touch(id) {
    if (this.#list.works.has(id)) this.#frame.touch(id);
  }

  /**
   * @param {number[]} ids
   * @param {boolean} isViewNew
   */
  #flush(ids, isViewNew) {
    if (ids.length > 0) {
      this.#dispatch("change", { ids });
      if (this.#shown.isMoving) this.#frame.later(this.#shown.rest, () => this.#show());
    }
    if (isViewNew) this.#dispatch("view", null);
    this.#dispatch("progress", null);
    if (this.#twice.size === 0) return;
    const twice = [...this.#twice];
    this.#twice.clear();
    this.remove(twice);
    this.#dispatch("notice", { message: `${twice.length === 1 ? "one image was" : `${twice.length} images were`} already in the list and not added again` });
  }

  /** @param {Work} work */
  #takeOut(work) {
    work.drop();
    this.#hold(work, true);
    this.#twice.add(work.item.id);
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #dispatch(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
