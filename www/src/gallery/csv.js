// @ts-check
// csv.js — comma-separated values as RFC 4180 has them, and as spreadsheets write and misread them.

/** What spreadsheets put between cells, by language and by file type. */
export const SEPARATORS = [",", ";", "\t"];

/** Excel writes this as a first line of its own, to say which separator it uses. */
export const SEPARATOR_LINE = /^sep=(.)\r?\n/i;

/**
 * Text that a spreadsheet would run as a formula, or that has the mark against it already, so that reading can undo what
 * writing did (OWASP, "CSV Injection").
 */
const FORMULA = /^'*[=+\-@\t\r]/;

/**
 * @typedef {{ line: number, cells: string[] }} Row  `line`: where it starts in the file, from 1
 */

/**
 * Rows that hold nothing are left out.
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
    if (quote < 0) throw new Error(`line ${line}: a quote opens here and never closes; close it, or double a quote that is meant as such`);
    value += text.slice(at, quote);
    at = quote + 1;
    if (text[at] !== '"') {
      const rest = plain(text, at, separator); // Nothing, unless the quote was no quote.
      return { value: value + rest.value, end: rest.end, lines: value.split("\n").length - 1 };
    }
    value += '"';
    at += 1;
  }
}

/** @param {(string | number | null | undefined)[][]} rows  null: an empty cell */
export function writeCsv(rows) {
  return rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/** @param {string | number | null | undefined} value */
function cell(value) {
  if (typeof value === "number") return String(value); // A negative number is no formula.
  const text = defuse(value ?? "");
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** A spreadsheet shows text after an apostrophe as text. @param {string} text */
export function defuse(text) {
  return FORMULA.test(text) ? `'${text}` : text;
}

/** The text before `defuse`. @param {string} text */
export function refuse(text) {
  return text.startsWith("'") && FORMULA.test(text.slice(1)) ? text.slice(1) : text;
}
