// @ts-check
// commands.js — executes the commands of the keyboard, in the grid and in the windows over it.

import { commandOf } from "./keyboard.js";

/** @typedef {import("./gallery-element.js").GalleryElement} Gallery */

/** The steps of the large view by direction. */
const STEPS = { left: -1, up: -1, "page-up": -1, right: 1, down: 1, "page-down": 1, first: -Infinity, last: Infinity };

/** @param {Gallery} gallery @param {KeyboardEvent} event */
export function obey(gallery, event) {
  const { windows, grid } = gallery;
  const command = commandOf(event);
  if (command === null || isControls(event, command)) return;
  const { detailed, isOpen } = windows;
  // A dialog closes itself and sends a cancel event.
  if (command.name === "escape" && isOpen) return;
  event.preventDefault();
  event.stopPropagation();
  switch (command.name) {
    case "move":
      if (detailed !== null) windows.step(STEPS[command.to]);
      else if (!isOpen) grid.move(command);
      return;
    case "mark":
      // In the comparison it would not be clear which image to mark.
      if (detailed !== null || !isOpen) gallery.mark(detailed === null ? grid.targets() : [detailed], command.mark);
      return;
    case "help": return windows.show("help");
  }
  if (isOpen) return;
  const { focused } = grid;
  switch (command.name) {
    case "open": return focused === null ? undefined : windows.open(focused);
    case "select": return focused === null ? undefined : grid.toggle(focused);
    case "select-all": return grid.selectAll();
    case "compare": return windows.compare();
    case "remove": return gallery.takeOut(grid.targets());
    case "search": return gallery.focusSearch();
    case "escape": return grid.clearSelection();
  }
}

/** Whether the focused control handles the key itself. @param {KeyboardEvent} event @param {import("./keyboard.js").Command} command */
function isControls(event, command) {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (command.name === "open" || command.name === "select") return target.matches("button, input, summary");
  return command.name === "move" && target.matches("input");
}
