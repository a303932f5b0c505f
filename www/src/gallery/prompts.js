// @ts-check
// prompts.js — prompts that come beside the images: CSV tables, and sidecar files as `trainer score` reads them.

import { parseCsv, refuse, SEPARATOR_LINE, SEPARATORS } from "./csv.js";

/**
 * @typedef {import("./types.js").Item} Item
 * @typedef {import("./types.js").Table} Table
 * @typedef {{ item: Item, parts: string[] }} Place  an item, and its path in parts: in a thousand folders each may hold an `image.png`
 */

/** Names of columns, the surest first: a path says more than a name. */
const IMAGE_COLUMNS = ["path", "image_path", "image", "file", "filename", "file_name", "name", "image_name"];
const PROMPT_COLUMNS = ["prompt", "text", "caption"];

/** So many rows are named one by one; of more, the number is told. */
const TOLD_ROWS = 5;

/**
 * A CSV file with a header: a column for the image and one for its prompt, in any order among others.
 * @param {import("./types.js").Sidecar} file
 * @returns {Promise<Table>}  rejects with a sentence when the file is no such table
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
    cells = [header]; // A quote across lines: no header of ours.
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
  return found.length ? [`no image is named in ${told(found, ({ line }) => `line ${line}`)}, which is left out`] : [];
}

/** Excel writes UTF-16, UTF-8 with a mark or, as "CSV", the old Windows encoding. @param {Uint8Array<ArrayBuffer>} bytes */
function decode(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return { text: new TextDecoder("utf-16le").decode(bytes), note: [] };
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes), note: [] };
  } catch {
    return { text: new TextDecoder("windows-1252").decode(bytes), note: ["this is no UTF-8, so it was read as Windows-1252; check words with accents"] };
  }
}

/**
 * Which image each row means: the one whose path agrees with it in the most parts, from the file name backwards. A path from
 * another computer, or from above the folder that was dropped, still finds its image.
 * @param {Table} table
 * @param {readonly Item[]} items
 * @returns {{ prompts: Map<number, string>, notices: string[] }}  prompts by the id of the item
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
  const notice = (what, rows, end) => (rows.length ? [`${table.name}: ${what} ${told(rows, place)}${end}`] : []);
  return {
    prompts,
    notices: [
      ...notice("no image here is meant by", odd.missing, ""),
      ...notice("several images could be meant by", odd.several, "; give more of the path there"),
      ...notice("an earlier line has a prompt for the same image as", odd.again, "; the first counts"),
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

/** Without regard to case, to the kind of slash, and to how accents are composed: file systems differ in all three. @param {string} path */
function partsOf(path) {
  return path.normalize("NFC").toLowerCase().split(/[\\/]/).filter((part) => part !== "" && part !== ".");
}

/**
 * @template T
 * @param {T[]} all
 * @param {(one: T) => string} name
 */
function told(all, name) {
  const named = all.slice(0, TOLD_ROWS).map(name).join(", ");
  return all.length > TOLD_ROWS ? `${named} and ${all.length - TOLD_ROWS} more` : named;
}

/**
 * The prompt in NAME.txt, which may be blank and then means that there is none, or in NAME.json's "prompt".
 * @param {import("./types.js").Sidecar} sidecar
 * @returns {Promise<string | null>}  null: a JSON file about something else. Rejects with a sentence when it cannot be read.
 */
export async function readSidecar({ name, blob }) {
  let text;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(await (await blob()).arrayBuffer());
  } catch (error) {
    const why = error instanceof TypeError ? "it is no UTF-8 text; save it as UTF-8" : "it was moved, changed or deleted; add the folder again";
    throw new Error(`the prompt file ${name} cannot be read: ${why}`);
  }
  if (!/\.json$/i.test(name)) return text.replace(/^\uFEFF+/, "").trim();
  try {
    const { prompt } = JSON.parse(text) ?? {};
    return typeof prompt === "string" ? prompt.trim() : null;
  } catch (error) {
    throw new Error(`the prompt file ${name} is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}
