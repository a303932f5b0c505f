// @ts-check
// keyboard.js — the commands of keys, and their descriptions for the help.

/**
 * @typedef {{ name: "move", to: "left" | "right" | "up" | "down" | "first" | "last" | "page-up" | "page-down", isExtending: boolean }} Move
 * @typedef {{ name: "mark", mark: import("../gallery/types.js").Mark }} MarkCommand
 * @typedef {{ name: "open" | "select" | "select-all" | "compare" | "remove" | "search" | "help" | "escape" }} Plain
 * @typedef {Move | MarkCommand | Plain} Command
 */

/** The descriptions for the help. @type {[keys: string[], does: string][]} */
export const KEYS = [
  [["←", "→", "↑", "↓"], "move to another image; in the large view, to the previous or next one"],
  [["Home", "End"], "move to the first or last image"],
  [["Enter"], "open the large view, with all parts of the scores"],
  [["Esc"], "close; in the grid, clear the selection"],
  [["1", "–", "5"], "give stars"],
  [["K"], "keep"],
  [["X"], "reject"],
  [["0"], "remove the mark"],
  [["Space"], "select or deselect"],
  [["Shift", "←→↑↓"], "extend the selection"],
  [["Ctrl", "A"], "select all shown images"],
  [["C"], "compare the two selected images"],
  [["Delete"], "remove from the list; the file is not deleted"],
  [["/"], "search the prompts"],
  [["?"], "show these keys"],
];

/** @type {Record<string, Move["to"]>} */
const MOVES = {
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  Home: "first", End: "last", PageUp: "page-up", PageDown: "page-down",
};
/** @type {Record<string, Plain["name"]>} */
const PLAIN = { Enter: "open", " ": "select", c: "compare", Delete: "remove", "/": "search", "?": "help", Escape: "escape" };

/** The command of a key, or null. Keys in text fields and shortcuts of the browser have no command. @param {KeyboardEvent} event @returns {Command | null} */
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
