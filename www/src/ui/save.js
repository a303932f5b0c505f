// @ts-check
// save.js — saves files and writes to the clipboard.

import { count } from "./format.js";

/** @typedef {import("./gallery-element.js").GalleryElement} Gallery */

/** The time after which the address of a download is revoked. Safari reads it some time after the click. */
const DOWNLOAD_MS = 60_000;

/** @param {Gallery} gallery @param {string} name @param {string} type @param {string} text */
export function save(gallery, name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), DOWNLOAD_MS);
  gallery.say(`${name} saved.`);
}

/** @param {Gallery} gallery @param {string} names  one per line */
export async function copyNames(gallery, names) {
  const kept = names === "" ? 0 : names.trimEnd().split("\n").length;
  try {
    await navigator.clipboard.writeText(names);
    gallery.notify(`the names of ${count(kept, "kept image")} are in the clipboard`);
  } catch {
    gallery.notify("the browser does not let this page write to the clipboard; save the names as a file instead");
  }
}
