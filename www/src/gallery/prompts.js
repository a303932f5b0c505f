// @ts-check
// prompts.js — reads prompts from CSV tables and from sidecar files. `trainer score` reads sidecar files in the same way.

import { parseCsv, refuse, SEPARATOR_LINE, SEPARATORS } from "./csv.js";

/**
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").Table} Table
 * @typedef {{ item: Item, parts: string[] }} Place  an item, and the parts of its path
 */

/** Names of columns. Earlier ones take precedence: a path is less ambiguous than a name. */
const IMAGE_COLUMNS = ["path", "image_path", "image", "file", "filename", "file_name", "name", "image_name"];
const PROMPT_COLUMNS = ["prompt", "text", "caption"];

/** The number of rows that a message lists. */
const LISTED_ROWS = 5;

/**
 * Reads a CSV file whose header names a column for the image and one for its prompt.
 * @param {import("./types.js").Sidecar} file
 * @returns {Promise<Table>}  rejects with a message if the file is not such a table
 */
export async function readTable(file) {
  const { text, note } = decode(new Uint8Array(await (await file.blob()).arrayBuffer()));
  const told = SEPARATOR_LINE.exec(text);
  const first = text.slice(told?.[0].length ?? 0).split(/\r?\n/, 1)[0];
  const layout = (told ? [told[1]] : SEPARATORS).map((separator) => layoutOf(first, separator)).find(({ image, prompt }) => image >= 0 && prompt >= 0);
  if (!layout) {
    throw new Error(`${file.name}: the first line must name the columns: ${IMAGE_COLUMNS.join(", ")} for the image and ` +
      `${PROMPT_COLUMNS.join(", ")} for its prompt; found ${JSON.stringify(first.slice(0, 80))}`);
  }
  let parsed;
  try {
    parsed = parseCsv(text, layout.separator);
  } catch (error) {
    throw new Error(`${file.name}: ${error instanceof Error ? error.message : error}`);
  }
  const rows = parsed.slice(1).map(({ line, cells }) => ({
    line, image: refuse(cells[layout.image] ?? "").trim(), prompt: refuse(cells[layout.prompt] ?? "").trim(),
  }));
  return {
    name: file.name,
    rows: rows.filter(({ image, prompt }) => image && prompt),
    notices: [...note, ...nameless(rows)].map((text) => `${file.name}: ${text}`),
  };
}

/**
 * @param {string} header
 * @param {string} separator
 */
function layoutOf(header, separator) {
  let cells;
  try {
    cells = parseCsv(header, separator)[0]?.cells ?? [];
  } catch {
    cells = [header]; // A quoted cell with several lines cannot be one of our columns.
  }
  const names = cells.map((name) => name.trim().toLowerCase().replaceAll(/[\s-]+/g, "_"));
  return { separator, image: columnOf(names, IMAGE_COLUMNS), prompt: columnOf(names, PROMPT_COLUMNS) };
}

/**
 * @param {string[]} names
 * @param {string[]} wanted
 */
function columnOf(names, wanted) {
  return names.indexOf(wanted.find((name) => names.includes(name)) ?? "");
}

/** @param {Table["rows"]} rows */
function nameless(rows) {
  const found = rows.filter(({ image, prompt }) => !image && prompt);
  return found.length ? [`no image is named in ${listed(found, ({ line }) => `line ${line}`)}; skipped`] : [];
}

/** Excel writes UTF-16, UTF-8 with a byte order mark, or Windows-1252. @param {Uint8Array<ArrayBuffer>} bytes */
function decode(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { text: new TextDecoder("utf-16le").decode(bytes), note: [] };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), note: [] };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), note: ["the file is not UTF-8 and was read as Windows-1252; check words with accents"] };
  }
}

/**
 * Finds the image of each row: the one whose path has the most parts in common, counted from the file name backwards. So a path from
 * another computer, or from a parent of the dropped folder, finds its image.
 * @param {Table} table
 * @param {readonly Item[]} items
 * @returns {{ prompts: Map<number, string>, notices: string[] }}  prompts by id of the item
 */
export function matchTable(table, items) {
  /** @type {Map<string, Place[]>} */
  const byName = new Map();
  for (const item of items) {
    const parts = partsOf(item.path);
    const name = parts.at(-1) ?? "";
    const same = byName.get(name);
    if (same) same.push({ item, parts });
    else byName.set(name, [{ item, parts }]);
  }
  /** @type {Map<number, string>} */
  const prompts = new Map();
  /** @type {Map<number, number>} */
  const lines = new Map();
  /** @type {Record<"missing" | "several" | "again", Table["rows"]>} */
  const odd = { missing: [], several: [], again: [] };
  for (const row of table.rows) {
    const parts = partsOf(row.image);
    const found = nearest(byName.get(parts.at(-1) ?? "") ?? [], parts);
    if (found.length === 0) odd.missing.push(row);
    else if (found.some(({ path }) => path !== found[0].path)) odd.several.push(row);
    else if (lines.has(found[0].id)) odd.again.push(row);
    else {
      for (const { id } of found) {
        prompts.set(id, row.prompt);
        lines.set(id, row.line);
      }
    }
  }
  /** @type {(row: Table["rows"][number]) => string} */
  const place = ({ line, image }) => `line ${line} (${image})`;
  /** @type {(what: string, rows: Table["rows"], end: string) => string[]} */
  const notice = (what, rows, end) => (rows.length ? [`${table.name}: ${what} ${listed(rows, place)}${end}`] : []);
  return {
    prompts,
    notices: [
      ...notice("no image fits", odd.missing, ""),
      ...notice("several images fit", odd.several, "; write more of the path in the table"),
      ...notice("an earlier line has a prompt for the same image as", odd.again, "; the earlier one is used"),
    ],
  };
}

/**
 * @param {Place[]} places
 * @param {string[]} parts
 */
function nearest(places, parts) {
  const agreed = places.map(({ parts: own }) => {
    let count = 0;
    while (count < Math.min(own.length, parts.length) && own.at(-1 - count) === parts.at(-1 - count)) count += 1;
    return count;
  });
  const most = Math.max(...agreed);
  return places.filter((_, index) => agreed[index] === most).map(({ item }) => item);
}

/** The parts of a path. Case, kind of slash and composition of accents are normalised, because file systems differ in them. @param {string} path */
function partsOf(path) {
  return path.normalize("NFC").toLowerCase().split(/[\\/]/).filter((part) => part !== "" && part !== ".");
}

/**
 * @template T
 * @param {T[]} all
 * @param {(one: T) => string} name
 */
function listed(all, name) {
  const named = all.slice(0, LISTED_ROWS).map(name).join(", ");
  return all.length > LISTED_ROWS ? `${named} and ${all.length - LISTED_ROWS} more` : named;
}

/**
 * Reads the prompt from NAME.txt, or from the field "prompt" of NAME.json. A blank text means that there is no prompt.
 * @param {import("./types.js").Sidecar} sidecar
 * @returns {Promise<string | null>}  null: a JSON file without a prompt. Rejects with a message if the file cannot be read
 */
export async function readSidecar({ name, blob }) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await (await blob()).arrayBuffer());
  } catch (error) {
    const why = error instanceof TypeError ? "it is not UTF-8 text; save it as UTF-8" : "it was moved, changed or deleted; add the folder again";
    throw new Error(`the prompt file ${name} cannot be read: ${why}`);
  }
  if (!/\.json$/i.test(name)) return text.replace(/^\uFEFF+/, "").trim();
  try {
    const { prompt } = JSON.parse(text) ?? {};
    return typeof prompt === "string" ? prompt.trim() : null;
  } catch (error) {
    throw new Error(`the prompt file ${name} is not JSON: ${error instanceof Error ? error.message : error}`);
  }
}
