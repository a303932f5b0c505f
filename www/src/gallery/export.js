// @ts-check
// export.js — writes the list as CSV and as JSON.

import { snakeCase } from "../engine/names.js";
import { writeCsv } from "./csv.js";
import { scoreOf } from "./view.js";

/** @typedef {import("./types.js").Item} Item */

const TASKS = /** @type {const} */ (["perception", "alignment"]);

/** The parts of a score that are one number. */
const PARTS = /** @type {const} */ (["qImage", "qPatches", "qFine", "alpha", "wImage", "wPatches"]);

/** The parts that have one number for each level. */
const LEVEL_PARTS = /** @type {const} */ (["pImage", "pPatches"]);

/** The names of the parts in files. */
const COLUMNS = { qImage: "q_image", qPatches: "q_patches", qFine: "q_fine", alpha: "alpha", wImage: "w_image", wPatches: "w_patches", pImage: "p_image", pPatches: "p_patches" };

/**
 * Writes a row of names, and one row for each image. Obsolete scores are left out. Text that a spreadsheet program would run as a
 * formula gets an apostrophe, which `readTable` removes. A file that is not ASCII starts with a byte order mark, which Excel needs to
 * recognise UTF-8.
 * @param {readonly Item[]} items
 */
export function toCsv(items) {
  const levels = Object.fromEntries(TASKS.map((name) => [name, items.map(currentOf).find((result) => result?.[name])?.[name]?.levels ?? []]));
  const names = ["name", "path", "prompt", "prompt_source", "prompt_truncated", "status", "mark", ...TASKS, "mean",
    ...TASKS.flatMap((task) => [...PARTS.map((part) => `${task}_${COLUMNS[part]}`),
      ...LEVEL_PARTS.flatMap((part) => levels[task].map((level) => `${task}_${COLUMNS[part]}_${level}`))]),
    "width", "height", "model", "model_sha256", "device", "dtype", "preprocessing", "crops", "elapsed_ms", "notes", "error"];
  const rows = items.map((item) => {
    const result = currentOf(item);
    const run = result ? item.provenance : null;
    return [item.name, item.path, item.prompt, item.promptSource, result && String(result.promptTruncated), item.status, item.mark,
      ...[...TASKS, /** @type {const} */ ("mean")].map((name) => (result ? scoreOf(item, name) : null)),
      ...TASKS.flatMap((name) => {
        const task = result?.[name];
        return [...PARTS.map((part) => task?.[part]),
          ...LEVEL_PARTS.flatMap((part) => levels[name].map((_, level) => task?.[part]?.[level]))];
      }),
      item.width, item.height, result?.model, run?.modelHash, result?.device, run?.dtype, run?.preprocessing,
      result?.crops, item.elapsedMs, result?.notes.join("; "), item.error];
  });
  const csv = writeCsv([names, ...rows]);
  return /^[\x00-\x7f]*$/.test(csv) ? csv : `\uFEFF${csv}`;
}

/**
 * Writes one object for each image, with its whole result.
 * @param {readonly Item[]} items
 */
export function toJson(items) {
  const rows = items.map((item) => {
    const result = currentOf(item);
    const run = result ? item.provenance : null;
    const { prompt: _, promptSource: __, elapsedMs: ___, ...scored } = result ?? {};
    return {
      name: item.name, path: item.path, prompt: item.prompt, prompt_source: item.promptSource, status: item.status, mark: item.mark,
      mean: result ? scoreOf(item, "mean") : null, ...snakeCase(scored),
      model_sha256: run?.modelHash ?? null, dtype: run?.dtype ?? null, preprocessing: run?.preprocessing ?? null,
      elapsed_ms: item.elapsedMs, error: item.error,
    };
  });
  return `${JSON.stringify(rows, null, 1)}\n`;
}

/** The result, unless it is obsolete. @param {Item} item */
function currentOf({ status, result }) {
  return status === "scored" ? result : null;
}
