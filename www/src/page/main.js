// @ts-check
// main.js — the page around the gallery: settings from the address, the chosen colours, and use without a network.

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
// If storage is blocked, the colours are those of the system at each visit.
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

// Keys work while no element has the focus, too.
document.addEventListener("keydown", (event) => {
  if (event.target === document.body && gallery instanceof TspGallery) gallery.onKey(event);
});

customElements.define("tsp-gallery", TspGallery);
keepOffline(gallery);
