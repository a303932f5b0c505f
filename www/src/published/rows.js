// @ts-check
// rows.js — reads the table that `trainer score` writes: JSON lines or CSV.

import { ScoreError } from "../common/errors.js";
import { parseCsv } from "../gallery/csv.js";
import { camelCase } from "../engine/names.js";

/**
 * @typedef {"perception" | "alignment"} TaskName
 *
 * @typedef {object} Parts  what a score adds up from; null: not scored
 * @property {number} alpha  weight of the whole image, in [0, 1]
 * @property {number | null} qImage
 * @property {number | null} qPatches
 * @property {number | null} qFine
 *
 * @typedef {object} Row  one image of the table
 * @property {string} name
 * @property {string | null} image  its address; null where the table has none, or one that is not shown
 * @property {string | null} prompt
 * @property {string | null} promptSource
 * @property {number | null} perception  from 0 to 5; higher is better
 * @property {number | null} alignment  from 0 to 5; higher is better
 * @property {{ [task in TaskName]: Parts | null }} parts  CSV has none
 * @property {number | null} width  in pixels
 * @property {number | null} height  in pixels
 * @property {string | null} model
 * @property {string | null} device
 * @property {number | null} crops
 * @property {string[]} notes
 * @property {string | null} error  why there is no score
 */

/** The protocols of images that are shown. Others, such as `javascript:` and `data:`, are not. */
const SHOWN = ["http:", "https:", "blob:"];
/** The number of unreadable lines that a message lists. */
const TOLD = 3;

/**
 * @param {string} text
 * @param {string | URL} base  the table's address: those of its images are relative to it
 * @returns {{ rows: Row[], notices: string[] }}
 * @throws if nothing in it is a row
 */
export function rowsIn(text, base) {
  const { objects, notices } = /^\s*\{/.test(text) ? jsonLines(text) : csvRows(text);
  return { rows: objects.map((object) => rowOf(object, base)), notices };
}

/** @param {string} text */
function jsonLines(text) {
  /** @type {any[]} */ const objects = [];
  /** @type {number[]} */ const wrong = [];
  text.split("\n").forEach((line, index) => {
    if (line.trim() === "") return;
    try {
      const object = camelCase(JSON.parse(line));
      if (object === null || typeof object !== "object") throw new TypeError();
      objects.push(object);
    } catch {
      wrong.push(index + 1);
    }
  });
  if (objects.length === 0) throw new ScoreError("argument", "the table has no line that is a JSON object: expected what `trainer score --format jsonl` writes");
  const told = wrong.slice(0, TOLD).join(", ") + (wrong.length > TOLD ? ` and ${wrong.length - TOLD} more` : "");
  return { objects, notices: wrong.length === 0 ? [] : [`skipped, because it is not a JSON object: line ${told}`] };
}

/** @param {string} text */
function csvRows(text) {
  const [head, ...rest] = parseCsv(text);
  const names = head?.cells.map((cell) => cell.trim().toLowerCase()) ?? [];
  if (!names.some((name) => name === "perception" || name === "alignment")) {
    throw new ScoreError("argument", "the table has no column `perception` or `alignment`: expected what `trainer score` writes as JSON lines or CSV");
  }
  const objects = rest.map(({ cells }) => camelCase(Object.fromEntries(names.map((name, column) => [name, cells[column] || null]))));
  return { objects, notices: [] };
}

/**
 * @param {any} object
 * @param {string | URL} base
 * @returns {Row}
 */
export function rowOf(object, base) {
  const path = text(object.image) ?? text(object.path);
  const { notes } = object;
  return {
    name: text(object.id) ?? text(object.name) ?? path ?? "image",
    image: path === null ? null : address(path, base),
    prompt: text(object.prompt),
    promptSource: text(object.promptSource),
    perception: scoreOf(object.perception),
    alignment: scoreOf(object.alignment),
    parts: { perception: partsOf(object.perception), alignment: partsOf(object.alignment) },
    width: number(object.width),
    height: number(object.height),
    model: text(object.model),
    device: text(object.device),
    crops: number(object.crops),
    notes: Array.isArray(notes) ? notes.filter((note) => typeof note === "string") : (text(notes)?.split("; ") ?? []),
    error: text(object.error),
  };
}

/**
 * An absolute address, if it is one that is shown.
 * @param {string} path
 * @param {string | URL} base
 */
function address(path, base) {
  try {
    const url = new URL(path, base);
    return SHOWN.includes(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}

/** A number in CSV, an object with all parts in JSON lines. @param {any} task */
function scoreOf(task) {
  return number(task?.score ?? task);
}

/** @param {any} task @returns {Parts | null} */
function partsOf(task) {
  const alpha = number(task?.alpha);
  if (alpha === null) return null;
  return { alpha, qImage: number(task.qImage), qPatches: number(task.qPatches), qFine: number(task.qFine) };
}

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" && value !== "" ? value : typeof value === "number" ? String(value) : null;
}

/** @param {unknown} value */
function number(value) {
  const found = typeof value === "number" ? value : typeof value === "string" && value.trim() !== "" ? Number(value) : NaN;
  return Number.isFinite(found) ? found : null;
}
