// @ts-check
// csv.js — reads and writes comma-separated values (RFC 4180), with the deviations of spreadsheet programs.

/** The separators that spreadsheet programs use, depending on language and file type. */
export const SEPARATORS = [",", ";", "\t"];

/** Excel can write a first line that names the separator. */
export const SEPARATOR_LINE = /^sep=(.)\r?\n/i;

/**
 * Text that a spreadsheet program would run as a formula (OWASP, "CSV Injection"), with or without apostrophes before it. `defuse`
 * adds an apostrophe to both, so that `refuse` restores the text.
 */
const FORMULA = /^'*[=+\-@\t\r]/;

/**
 * @typedef {{ line: number, cells: string[] }} Row  `line`: its first line in the file, from 1
 */

/**
 * Parses a file. Empty rows are left out.
 * @param {string} text
 * @param {string} [separator]
 * @returns {Row[]}
 */
export function parseCsv(text, separator = ",") {
  /** @type {Row[]} */
  const rows = [];
  const told = SEPARATOR_LINE.exec(text);
  let [at, line] = told ? [told[0].length, 2] : [0, 1];
  if (told) separator = told[1];
  while (at < text.length) {
    const row = { line, cells: /** @type {string[]} */ ([]) };
    for (let isRow = true; isRow;) {
      const cell = text[at] === '"' ? quoted(text, at, separator, line) : plain(text, at, separator);
      row.cells.push(cell.value);
      line += cell.lines;
      at = cell.end;
      if (text[at] === separator) at += 1;
      else {
        isRow = false;
        if (text[at] === "\r") at += 1;
        if (text[at] === "\n") at += 1;
        line += 1;
      }
    }
    if (row.cells.some((cell) => cell.trim() !== "")) rows.push(row);
  }
  return rows;
}

/**
 * @param {string} text
 * @param {number} start
 * @param {string} separator
 */
function plain(text, start, separator) {
  let end = start;
  while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") end += 1;
  return { value: text.slice(start, end), end, lines: 0 };
}

/**
 * @param {string} text
 * @param {number} start
 * @param {string} separator
 * @param {number} line
 */
function quoted(text, start, separator, line) {
  let value = "";
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw new Error(`line ${line}: a quoted cell starts here and has no closing quote; close it, or double a quote that belongs to the text`);
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') {
      const rest = plain(text, at, separator); // Empty, unless the cell has text after its closing quote.
      return { value: value + rest.value, end: rest.end, lines: value.split("\n").length - 1 };
    }
    value += '"';
    at += 1;
  }
}

/** @param {(string | number | null | undefined)[][]} rows  null and undefined are empty cells */
export function writeCsv(rows) {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {string | number | null | undefined} value */
function cell(value) {
  if (typeof value === "number") return String(value); // Not defused: a negative number is not a formula.
  const text = defuse(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Adds an apostrophe, after which a spreadsheet program does not run the text. @param {string} text */
export function defuse(text) {
  return FORMULA.test(text) ? `'${text}` : text;
}

/** Reverses `defuse`. @param {string} text */
export function refuse(text) {
  return text.startsWith("'") && FORMULA.test(text.slice(1)) ? text.slice(1) : text;
}
