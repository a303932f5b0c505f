// @ts-check
// icons.js — the icons, as line drawings.

import { svg, html } from "lit";

/** @param {import("lit").TemplateResult} shape */
const icon = (shape) => html`<svg class="line" viewBox="0 0 24 24" aria-hidden="true">${shape}</svg>`;

export const icons = {
  add: icon(svg`<path d="M12 5v14M5 12h14"/>`),
  close: icon(svg`<path d="m6 6 12 12M18 6 6 18"/>`),
  previous: icon(svg`<path d="m14 5-7 7 7 7"/>`),
  next: icon(svg`<path d="m10 5 7 7-7 7"/>`),
  pause: icon(svg`<path d="M9 6v12M15 6v12"/>`),
  play: icon(svg`<path d="m8 5 11 7-11 7z"/>`),
  stop: icon(svg`<path d="M7 7h10v10H7z"/>`),
  filter: icon(svg`<path d="M5 20v-6M12 20V4M19 20v-9"/>`),
  down: icon(svg`<path d="M12 5v14m-6-6 6 6 6-6"/>`),
  up: icon(svg`<path d="M12 19V5m-6 6 6-6 6 6"/>`),
  save: icon(svg`<path d="M12 4v11m-5-5 5 5 5-5M5 20h14"/>`),
  images: icon(svg`<path d="M4 6h12v12H4zM8 6V3h12v12h-4M4 15l4-4 4 4 2-2 2 2"/>`),
  light: icon(svg`<circle cx="12" cy="12" r="4"/><path d="M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4m0-12.8L17 7M7 17l-1.4 1.4"/>`),
  dark: icon(svg`<path d="M20 14A8.5 8.5 0 0 1 10 4a8.5 8.5 0 1 0 10 10z"/>`),
  help: icon(svg`<path d="M8.5 8.5a3.5 3.5 0 1 1 5 3.2c-1 .5-1.5 1.1-1.5 2.3m0 3.5v.1"/><circle cx="12" cy="12" r="9.5"/>`),
  check: icon(svg`<path d="m5 12 5 5 9-10"/>`),
};
