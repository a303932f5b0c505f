// @ts-check
// collection.js — the images of a gallery and all that is known of them: the one source of truth that the page draws from.

import { toCsv, toJson } from "./export.js";
import { Frame } from "./frame.js";
import { List } from "./list.js";
import { progressOf } from "./progress.js";
import { matchTable } from "./prompts.js";
import { Queue } from "./queue.js";
import { Reader } from "./reader.js";
import { Shown } from "./shown.js";
import { Sidecars } from "./sidecars.js";
import { Wanted } from "./wanted.js";
import { askedOf, showPrompt } from "./work.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").Mark} Mark
 * @typedef {import("./types.js").Progress} Progress
 * @typedef {import("./types.js").Scorer} Scorer
 * @typedef {import("./types.js").Table} Table
 * @typedef {import("./types.js").View} View
 * @typedef {import("./types.js").Work} Work
 */

/**
 * Events, all CustomEvents, gathered for each frame:
 * - "change" `{ ids }`: items came, went or changed (an id that `get` does not know any more was removed)
 * - "view": `shown` changed
 * - "progress": `progress` changed
 * - "notice" `{ message }`: a sentence for the person; nothing is lost by it
 */
export class Collection extends EventTarget {
  #list = new List();
  #shown = new Shown();
  #wanted = new Wanted(this.#list.works);
  /** Images that turned out to be there already; they go with the next frame. @type {Set<number>} */ #twice = new Set();
  /** @type {Table[]} */ #tables = [];
  #sidecars;
  #reader;
  #queue;
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
    this.#queue = new Queue({
      wanted: this.#wanted,
      changed,
      notice: (message) => this.#dispatch("notice", { message }),
      outdated: () => this.#outdate(),
    }, this.#reader);
    this.#frame = new Frame((ids, isViewNew) => this.#flush(ids, isViewNew));
    if (results) this.keepIn(results);
    if (scorer) this.attach(scorer);
  }

  /** To be called before images come; without it nothing is kept for the next visit. @param {import("./results.js").Results} results */
  keepIn(results) {
    this.#reader.results = results;
  }

  /** In the order added. @returns {readonly Item[]} */
  get items() {
    return this.#list.items;
  }

  /** @param {number} id */
  get(id) {
    return this.#list.works.get(id)?.item;
  }

  /** Opens an item's file, e.g. for the large image of the detail view. @param {number} id @param {AbortSignal} [signal] @returns {Promise<Blob>} */
  async blob(id, signal) {
    const work = this.#list.works.get(id);
    if (!work) throw new Error("this image is no longer in the collection");
    return work.blob ?? work.entry.blob(signal);
  }

  /**
   * Returns the new ids. A file that is there already (same path, size and time) is not taken twice; where that is known only
   * once it is opened, it is taken out then.
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
    this.#queue.wake();
    return ids;
  }

  /** Prompts from a CSV file, for the images that are there and those that come. Typed ones stay. @param {Table} table @returns {import("./types.js").TableReport} */
  addPrompts(table) {
    this.#tables.push(table);
    const report = this.#applyTable(table);
    this.#queue.wake();
    return { ...report, notices: [...table.notices, ...report.notices] };
  }

  /** @param {Table} table */
  #applyTable(table) {
    const { prompts, notices } = matchTable(table, this.#list.items);
    for (const [id, prompt] of prompts) this.#ask(/** @type {Work} */ (this.#list.works.get(id)), "tabled", prompt);
    return { applied: prompts.size, notices };
  }

  /** Scores the image again, before anything else and even while paused. Blank or null: as found beside or in the image. @param {number} id @param {string | null} text */
  setPrompt(id, text) {
    const work = this.#list.works.get(id);
    if (!work) return;
    const isNew = this.#ask(work, "typed", text?.trim() || null);
    work.isTyped = true;
    this.#reader.keepNote(work);
    if (!isNew && (work.item.status === "scored" || work.item.status === "working")) return;
    if (work.item.status === "failed") this.#again(work);
    work.item.isHeld = false;
    this.#wanted.edit(work);
    this.#queue.wake();
  }

  /** Whether the scorer must be asked again. @param {Work} work @param {"typed" | "tabled"} source @param {string | null} prompt */
  #ask(work, source, prompt) {
    const before = askedOf(work);
    work[source] = prompt;
    const isNew = before !== askedOf(work);
    if (isNew) this.#again(work);
    showPrompt(work);
    this.#touch(work.item.id);
    return isNew;
  }

  /** Kept for the next visit, by the image's content. @param {Iterable<number>} ids @param {Mark} mark */
  setMark(ids, mark) {
    for (const id of ids) {
      const work = this.#list.works.get(id);
      if (!work || work.item.mark === mark) continue;
      work.item.mark = mark;
      work.isMarked = true;
      this.#reader.keepNote(work);
      this.#touch(id);
    }
    this.#show();
  }

  /** @param {Iterable<number>} ids */
  remove(ids) {
    for (const work of this.#list.delete(ids)) {
      this.#queue.drop(work);
      this.#frame.touch(work.item.id);
    }
    this.#wanted.renew();
    this.#show();
    this.#queue.wake();
  }

  /** Failed ones wait again. @param {Iterable<number>} ids */
  retry(ids) {
    for (const id of ids) {
      const work = this.#list.works.get(id);
      if (work?.item.status === "failed") this.#again(work);
    }
    this.#queue.wake();
  }

  /** @param {Work} work */
  #again(work) {
    this.#queue.drop(work);
    if (work.item.status === "failed") work.reading = null;
    Object.assign(work.item, { status: "waiting", error: null, fromStore: false });
    this.#wanted.renew();
    this.#touch(work.item.id);
  }

  /** Another model or other crops: all scores are out of date. */
  #outdate() {
    for (const work of this.#list.works.values()) if (work.item.status !== "failed") this.#again(work);
  }

  get view() {
    return this.#shown.view;
  }

  /** Fields that are left out keep their value. `shown` is recomputed before this returns. @param {Partial<View>} view */
  set view(view) {
    this.#shown.view = { ...this.#shown.view, ...view };
    this.#show();
  }

  /** Ids that the view shows, in its order. @returns {readonly number[]} */
  get shown() {
    return this.#shown.ids;
  }

  #show() {
    if (!this.#shown.renew(this.#list.items)) return;
    this.#wanted.setShown(this.#shown.ids);
    this.#frame.touchView();
  }

  /** Of what the view shows without its range on this task, so that the range can be drawn over it. @param {import("./types.js").TaskName} task @param {number} [bins] */
  histogram(task, bins = 25) {
    return this.#shown.histogram(this.#list.items, task, bins);
  }

  /** The scorer may come later than the images, change its crops or model, or go. @param {Scorer} scorer */
  attach(scorer) {
    this.#queue.use(scorer);
  }

  detach() {
    this.#queue.use(null);
  }

  /** Those on the screen, which are scored first. @param {Iterable<number>} ids */
  setVisible(ids) {
    this.#wanted.setVisible(ids);
  }

  /** The image in work is finished. */
  pause() {
    this.#queue.isPaused = true;
    this.#frame.ask();
  }

  /** Also takes up what was cancelled. */
  resume() {
    this.#queue.isPaused = false;
    for (const work of this.#list.works.values()) if (work.item.isHeld) this.#hold(work, false);
    this.#wanted.renew();
    this.#frame.ask();
    this.#queue.wake();
  }

  /** The image in work and all waiting ones are held until `resume`; images added later are scored. */
  cancel() {
    for (const work of this.#list.works.values()) {
      if (work.item.status === "working") this.#queue.drop(work);
      if (work.item.status === "waiting") this.#hold(work, true);
    }
    this.#wanted.renew();
  }

  /**
   * @param {Work} work
   * @param {boolean} isHeld
   */
  #hold(work, isHeld) {
    work.item.isHeld = isHeld;
    if (isHeld) work.isEdited = false;
    this.#touch(work.item.id);
  }

  /** @returns {Progress} */
  get progress() {
    return progressOf(this.#list.items, this.#queue.median, this.#queue.isPaused);
  }

  /** The list as shown, or only these. @param {Iterable<number>} [ids] */
  exportCsv(ids) {
    return toCsv(this.#listed(ids));
  }

  /** @param {Iterable<number>} [ids] */
  exportJson(ids) {
    return toJson(this.#listed(ids));
  }

  /** File names with this mark, in the view's order, hidden ones last; one a line. @param {Mark} mark */
  names(mark) {
    const ids = new Set([...this.#shown.ids, ...this.#list.items.map(({ id }) => id)]);
    return this.#listed(ids).filter((item) => item.mark === mark).map(({ name }) => `${name}\n`).join("");
  }

  /** @param {Iterable<number>} [ids] */
  #listed(ids = this.#shown.ids) {
    return [...ids].flatMap((id) => this.get(id) ?? []);
  }

  /** Stops the work and lets go of the scorer; the results' store stays open. */
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
    this.#dispatch("notice", { message: `${twice.length === 1 ? "one image was" : `${twice.length} images were`} there already, and not taken twice` });
  }

  /** @param {Work} work */
  #takeOut(work) {
    this.#queue.drop(work);
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
