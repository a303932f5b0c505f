// @ts-check
// keyboard.js — which key does what, in one table that the help shows and the gallery obeys.

/**
 * @typedef {{ name: "move", to: "left" | "right" | "up" | "down" | "first" | "last" | "page-up" | "page-down", isExtending: boolean }} Move
 * @typedef {{ name: "mark", mark: import("../gallery/types.js").Mark }} MarkCommand
 * @typedef {{ name: "open" | "select" | "select-all" | "compare" | "remove" | "search" | "help" | "escape" }} Plain
 * @typedef {Move | MarkCommand | Plain} Command
 */

/** For the help, in the order of use. @type {[keys: string[], does: string][]} */
export const KEYS = [
  [["←", "→", "↑", "↓"], "move from image to image; in the large view, previous and next"],
  [["Home", "End"], "first, last image"],
  [["Enter"], "open the large view with all parts of the scores"],
  [["Esc"], "close; in the grid, clear the selection"],
  [["1", "–", "5"], "give stars"],
  [["K"], "keep"],
  [["X"], "reject"],
  [["0"], "take the mark away"],
  [["Space"], "select or deselect"],
  [["Shift", "←→↑↓"], "extend the selection"],
  [["Ctrl", "A"], "select all that are shown"],
  [["C"], "compare the two selected images"],
  [["Delete"], "take out of the list; the file stays"],
  [["/"], "search the prompts"],
  [["?"], "these keys"],
];

/** @type {Record<string, Move["to"]>} */
const MOVES = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  Home: "first", End: "last", PageUp: "page-up", PageDown: "page-down",
};
/** @type {Record<string, Plain["name"]>} */
const PLAIN = { Enter: "open", " ": "select", c: "compare", Delete: "remove", "/": "search", "?": "help", Escape: "escape" };

/** What a key asks for, or null: keys in fields that take text, and the browser's own combinations, are left alone. @param {KeyboardEvent} event @returns {Command | null} */
export function commandOf(event) {
  if (event.defaultPrevented || event.isComposing || isTyping(event)) return null;
  const { key, shiftKey } = event;
  if (event.ctrlKey || event.metaKey || event.altKey) {
    return key.toLowerCase() === "a" && !event.altKey && !shiftKey ? { name: "select-all" } : null;
  }
  if (key in MOVES) return { name: "move", to: MOVES[key], isExtending: shiftKey };
  if (/^[1-5]$/.test(key)) return { name: "mark", mark: /** @type {1 | 2 | 3 | 4 | 5} */ (Number(key)) };
  const letter = key.length === 1 ? key.toLowerCase() : key;
  if (letter === "k") return { name: "mark", mark: "keep" };
  if (letter === "x") return { name: "mark", mark: "reject" };
  if (letter === "0") return { name: "mark", mark: null };
  return letter in PLAIN ? { name: PLAIN[letter] } : null;
}

/** @param {KeyboardEvent} event */
function isTyping(event) {
  const target = event.composedPath()[0];
  return target instanceof HTMLElement && target.matches("textarea, select, input:not([type=radio], [type=checkbox], [type=file])");
}
