// @ts-check
// menu.js — a button that opens a list of choices. The list closes after a choice, by Esc, and when it loses the focus.

import { html } from "lit";

/** @param {string} edge  class of the details @param {string} label @param {unknown} face  content of the button @param {unknown} choices */
export function menu(edge, label, face, choices) {
  return html`<details class="menu ${edge}" name="menu" @click=${onClick} @keydown=${onKey} @focusout=${onLeave}>
    <summary class="button" role="button" aria-label=${label}>${face}</summary>
    <div>${choices}</div>
  </details>`;
}

/** @param {Event} event */
function onClick({ target, currentTarget }) {
  if (target instanceof Element && target.closest("div button, div input")) /** @type {HTMLDetailsElement} */ (currentTarget).open = false;
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  const details = /** @type {HTMLDetailsElement} */ (event.currentTarget);
  if (event.key !== "Escape" || !details.open) return;
  event.stopPropagation();
  details.open = false;
  details.querySelector("summary")?.focus();
}

/** @param {FocusEvent} event */
function onLeave({ relatedTarget, currentTarget }) {
  const details = /** @type {HTMLDetailsElement} */ (currentTarget);
  // A file chooser takes the focus from the page. Then the menu must stay open.
  if (relatedTarget instanceof Node ? !details.contains(relatedTarget) : document.hasFocus()) details.open = false;
}
