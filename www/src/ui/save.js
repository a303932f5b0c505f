// @ts-check
// save.js — what leaves the gallery: files and the clipboard.

import { count } from "./format.js";

/** @typedef {import("../elements/tsp-gallery.js").TspGallery} Gallery */

/** Safari reads the address of a download only after the click's task, and large files take a while. */
const DOWNLOAD_MS = 60_000;

/** @param {Gallery} gallery @param {string} name @param {string} type @param {string} text */
export function save(gallery, name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_MS);
  gallery.say(`${name} saved.`);
}

/** @param {Gallery} gallery @param {string} names  one a line */
export async function copyNames(gallery, names) {
  const kept = names === "" ? 0 : names.trimEnd().split("\n").length;
  try {
    await navigator.clipboard.writeText(names);
    gallery.notify(`the names of ${count(kept, "kept image")} are in the clipboard`);
  } catch {
    gallery.notify("the browser does not let this page copy: save the names as a file instead");
  }
}
