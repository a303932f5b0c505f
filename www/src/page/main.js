// @ts-check
// main.js — the page around the gallery: what the address asks for, the colours chosen before, and use without a network.

import { TspGallery } from "../elements/tsp-gallery.js";
import { keepOffline } from "./offline.js";

const THEME = "tsp-mgs-theme";

const gallery = document.querySelector("tsp-gallery");
if (!(gallery instanceof HTMLElement)) throw new Error("the page has no <tsp-gallery>");
const asked = new URLSearchParams(location.search);
for (const name of ["device", "crops", "model"]) {
  const value = asked.get(name);
  if (value) gallery.setAttribute(name, value);
}

/** @param {string | null} theme */
function show(theme) {
  if (theme !== "light" && theme !== "dark") return;
  document.documentElement.style.colorScheme = theme;
  gallery?.setAttribute("theme", theme);
}
// Storage can be blocked; then the colours are the system's at each visit.
try {
  show(localStorage.getItem(THEME));
} catch {}
gallery.addEventListener("tsp-theme", (event) => {
  const { theme } = /** @type {CustomEvent<{ theme: string }>} */ (event).detail;
  show(theme);
  try {
    localStorage.setItem(THEME, theme);
  } catch {}
});

// While nothing has the focus, the page's keys are the gallery's.
document.addEventListener("keydown", (event) => {
  if (event.target === document.body && gallery instanceof TspGallery) gallery.onKey(event);
});

customElements.define("tsp-gallery", TspGallery);
keepOffline(gallery);
