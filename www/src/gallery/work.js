// @ts-check
// work.js — one image of the collection, with what is needed to score it: where its prompt comes from, and how far it is.

import { readSidecar } from "./prompts.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").Work} Work
 */

/**
 * @param {number} id
 * @param {Entry} entry
 * @returns {Work}
 */
export function workOf(id, entry) {
  /** @type {Item} */
  const item = {
    id, name: entry.name, path: entry.path, prompt: null, promptSource: null, status: "waiting", isHeld: false, error: null,
    result: null, fromStore: false, width: null, height: null, mark: null, elapsedMs: null, provenance: null,
  };
  /** @type {Work} */
  const work = {
    item, entry, file: entry.file ?? null, typed: null, tabled: null, beside: null, reading: null, hashing: null, hash: null, isMarked: false, isTyped: false, version: 0,
    isEdited: false, preparing: null, isPrepared: false, key: null, blob: null,
  };
  showPrompt(work);
  return work;
}

/** @param {Work} work */
export function isWaiting({ item }) {
  return item.status === "waiting" && !item.isHeld;
}

/** @param {Work} work */
export function isDone({ item }) {
  return item.status === "scored" || item.status === "failed";
}

/** What the scorer gets: null is "read it from the image". @param {Work} work */
export function askedOf({ typed, tabled, entry, beside }) {
  return typed ?? tabled ?? entry.prompt ?? beside;
}

/** The strongest prompt that is known. @param {Work} work */
export function showPrompt(work) {
  const { item, entry } = work;
  const asked = askedOf(work);
  if (asked === null) {
    const inImage = item.status === "scored" ? item.result : null;
    item.prompt = inImage?.prompt ?? null;
    item.promptSource = inImage?.promptSource ?? null;
    return;
  }
  item.prompt = asked;
  item.promptSource = work.typed !== null ? "typed" : work.tabled !== null ? "csv" : entry.prompt !== undefined ? entry.promptSource ?? "given" : "sidecar";
}

/**
 * Reads the file beside the image, once. Rejects when that cannot be read and no stronger prompt makes up for it.
 * @param {Work} work
 * @param {(work: Work) => void} changed
 */
export async function readPrompt(work, changed) {
  const { sidecar } = work.entry;
  if (!sidecar || askedOf(work) !== null) return;
  await (work.reading ??= readSidecar(sidecar).then((prompt) => {
    work.beside = prompt;
    showPrompt(work);
    changed(work);
  }));
}
