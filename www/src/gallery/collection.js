// @ts-check
// collection.js — the images of a gallery and all that is known of them: the one source of truth that the page draws from.

/**
 * Events, all CustomEvents, gathered for each frame:
 * - "change" `{ ids }`: items came, went or changed (an id that `get` does not know any more was removed)
 * - "view": `shown` changed
 * - "progress": `progress` changed
 * - "notice" `{ message }`: a sentence for the person; nothing is lost by it
 */
export class Collection extends EventTarget {
  /** @param {{ scorer?: import("./types.js").Scorer, results?: import("./results.js").Results }} [parts] */
  constructor(parts = {}) { super(); void parts; }

  /** In the order added. @type {import("./types.js").Item[]} */
  get items() { throw new Error("not yet"); }
  /** @param {number} id @returns {import("./types.js").Item | undefined} */
  get(id) { throw new Error(`not yet: ${id}`); }
  /** How to open an item's file, e.g. for the large image of the detail view. @param {number} id @returns {Promise<Blob>} */
  blob(id) { throw new Error(`not yet: ${id}`); }

  /** Returns the new ids; what is there already (same path, size and time) is not taken twice. @param {import("./types.js").Entry[]} entries @returns {number[]} */
  add(entries) { throw new Error(`not yet: ${entries}`); }
  /** Prompts from a CSV file, for the images that are there and those that come. @param {import("./types.js").Table} table @returns {import("./types.js").TableReport} */
  addPrompts(table) { throw new Error(`not yet: ${table}`); }
  /** Scores the image again, before anything else and even while paused. Blank or null: as found beside or in the image. @param {number} id @param {string | null} text */
  setPrompt(id, text) { throw new Error(`not yet: ${id} ${text}`); }
  /** Kept for the next visit, by the image's content. @param {Iterable<number>} ids @param {import("./types.js").Mark} mark */
  setMark(ids, mark) { throw new Error(`not yet: ${ids} ${mark}`); }
  /** @param {Iterable<number>} ids */
  remove(ids) { throw new Error(`not yet: ${ids}`); }
  /** Failed ones wait again. @param {Iterable<number>} ids */
  retry(ids) { throw new Error(`not yet: ${ids}`); }

  /** @returns {import("./types.js").View} */
  get view() { throw new Error("not yet"); }
  /** Fields that are left out keep their value. `shown` is recomputed before this returns. @param {Partial<import("./types.js").View>} view */
  set view(view) { throw new Error(`not yet: ${view}`); }
  /** Ids that the view shows, in its order. @type {number[]} */
  get shown() { throw new Error("not yet"); }
  /** Of what the view shows without the range on this task, so that the range can be drawn over it. @param {import("./types.js").TaskName} task @param {number} [bins] @returns {import("./types.js").Histogram} */
  histogram(task, bins) { throw new Error(`not yet: ${task} ${bins}`); }

  /** The scorer may come later than the images, change its crops or model, or go. @param {import("./types.js").Scorer} scorer */
  attach(scorer) { throw new Error(`not yet: ${scorer}`); }
  detach() { throw new Error("not yet"); }
  /** Those on the screen, which are scored first. @param {Iterable<number>} ids */
  setVisible(ids) { throw new Error(`not yet: ${ids}`); }
  /** The image in work is finished. */
  pause() { throw new Error("not yet"); }
  /** Also takes up what was cancelled. */
  resume() { throw new Error("not yet"); }
  /** The image in work and all waiting ones are held until `resume`; images added later are scored. */
  cancel() { throw new Error("not yet"); }
  /** @returns {import("./types.js").Progress} */
  get progress() { throw new Error("not yet"); }

  /** The list as shown, or only these. @param {Iterable<number>} [ids] @returns {string} */
  exportCsv(ids) { throw new Error(`not yet: ${ids}`); }
  /** @param {Iterable<number>} [ids] @returns {string} */
  exportJson(ids) { throw new Error(`not yet: ${ids}`); }
  /** File names with this mark, in the view's order, hidden ones last; one a line. @param {import("./types.js").Mark} mark @returns {string} */
  names(mark) { throw new Error(`not yet: ${mark}`); }
  /** Stops the work and lets go of the scorer; the results' store stays open. */
  close() { throw new Error("not yet"); }
}
