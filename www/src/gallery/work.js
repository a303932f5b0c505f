// @ts-check
// work.js — an image of the collection: its state, its prompts, and its earlier result. Only the methods of `Work` write to an item.
//
//   waiting → working → scored
//                     → failed
//
// Every state returns to waiting by `again`. A waiting image can be held. The engine's queue works on `job`; a dropped job counts for
// nothing.

import { readSidecar } from "./prompts.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").Mark} Mark
 */

export class Work {
  /** @type {Item} */ item;
  /** @type {Entry} */ entry;
  /** The file, once it was opened. @type {File | null} */ file;
  // The sources of the prompt. An earlier one takes precedence.
  /** @type {string | null} */ #typed = null;
  /** From a table. @type {string | null} */ #tabled = null;
  /** From the sidecar file. "" means that there is no prompt. @type {string | null} */ #beside = null;
  /** The reading of the sidecar file. @type {Promise<void> | null} */ #reading = null;
  /** The computation of {@link hash}. @type {Promise<string | null> | null} */ hashing = null;
  /** Of the image's bytes; null if it is not known. @type {string | null} */ hash = null;
  /** Whether the mark was set on this visit. If so, it replaces that of an earlier visit. */
  #isMarked = false;
  /** Whether the prompt was typed on this visit. */
  #isTyped = false;
  /** Whether the prompt was typed since the last result. Such images are scored first. */
  isEdited = false;
  /** The scoring of the image, until it is done. @type {import("../engine/job.js").Job | null} */ job = null;
  /** The look-up of an earlier result. @type {Promise<void> | null} */ lookUp = null;
  /** The key of the result in the store. @type {string | null} */ key = null;

  /**
   * @param {number} id
   * @param {Entry} entry
   */
  constructor(id, entry) {
    this.item = {
      id, name: entry.name, path: entry.path, prompt: null, promptSource: null, status: "waiting", isHeld: false, error: null,
      result: null, fromStore: false, width: null, height: null, mark: null, elapsedMs: null, provenance: null,
    };
    this.entry = entry;
    this.file = entry.file ?? null;
    this.showPrompt();
  }

  get isWaiting() {
    return this.item.status === "waiting" && !this.item.isHeld;
  }

  get isDone() {
    return this.item.status === "scored" || this.item.status === "failed";
  }

  /** The image, if it was fetched ahead. */
  get blob() {
    return this.job?.image ?? null;
  }

  /** The prompt for the scorer; null: read it from the image. */
  get asked() {
    return this.#typed ?? this.#tabled ?? this.entry.prompt ?? this.#beside;
  }

  get typed() {
    return this.#typed;
  }

  // Transitions.

  begin() {
    this.item.status = "working";
  }

  /** Makes the work in progress obsolete. */
  drop() {
    this.#leave();
    this.key = null;
    if (this.item.status === "working") this.item.status = "waiting";
  }

  /** Waits to be scored again. An earlier result stays visible. */
  again() {
    this.drop();
    if (this.item.status === "failed") this.#reading = null;
    Object.assign(this.item, { status: "waiting", error: null, fromStore: false });
  }

  /** @param {boolean} isHeld */
  hold(isHeld) {
    this.item.isHeld = isHeld;
    if (isHeld) this.isEdited = false;
  }

  /**
   * @param {import("./types.js").Result} result
   * @param {import("./types.js").Provenance} provenance
   * @param {boolean} fromStore
   */
  finish(result, provenance, fromStore) {
    const { width, height, elapsedMs } = result;
    Object.assign(this.item, { status: "scored", error: null, result, provenance, fromStore, width, height, elapsedMs });
    this.isEdited = false;
    this.#leave();
    this.showPrompt();
  }

  /** @param {string} error */
  fail(error) {
    Object.assign(this.item, { status: "failed", error, result: null, provenance: null, fromStore: false, elapsedMs: null });
    this.isEdited = false;
    this.#leave();
  }

  /** Waits until the user resumes the work. */
  stop() {
    this.drop();
    this.hold(true);
  }

  #leave() {
    const { job } = this;
    this.job = this.lookUp = null;
    job?.cancel();
  }

  // Prompts and marks.

  /** Returns whether the prompt for the scorer changed. @param {"typed" | "tabled"} source @param {string | null} prompt */
  setPrompt(source, prompt) {
    const before = this.asked;
    if (source === "tabled") this.#tabled = prompt;
    else {
      this.#typed = prompt;
      this.#isTyped = true;
    }
    return before !== this.asked;
  }

  /** @param {Mark} mark */
  setMark(mark) {
    this.item.mark = mark;
    this.#isMarked = true;
  }

  /** Takes mark and prompt of an earlier visit, unless this visit has newer ones. @param {{ mark: Mark, prompt: string | null }} note */
  recall({ mark, prompt }) {
    if (!this.#isMarked) this.item.mark = mark;
    if (!this.#isTyped) this.#typed = prompt;
    this.showPrompt();
  }

  /**
   * Reads the sidecar file once, unless there is a prompt that takes precedence.
   * @param {(work: Work) => void} changed
   */
  async readPrompt(changed) {
    const { sidecar } = this.entry;
    if (!sidecar || this.asked !== null) return;
    await (this.#reading ??= readSidecar(sidecar).then((prompt) => {
      this.#beside = prompt;
      this.showPrompt();
      changed(this);
    }));
  }

  /** Shows the prompt in the item. That of the image's metadata is known once it is scored. */
  showPrompt() {
    const { item, entry, asked } = this;
    if (asked === null) {
      const result = item.status === "scored" ? item.result : null;
      item.prompt = result?.prompt ?? null;
      item.promptSource = result?.promptSource ?? null;
      return;
    }
    item.prompt = asked;
    item.promptSource = this.#typed !== null ? "typed" : this.#tabled !== null ? "csv" : entry.prompt !== undefined ? entry.promptSource ?? "given" : "sidecar";
  }
}
