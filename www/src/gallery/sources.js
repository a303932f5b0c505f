// @ts-check
// sources.js — lists images that the user drops, pastes or chooses, or names by URL. Files are not opened.

import { downloadImage } from "../model/download.js";
import { urlsIn } from "./urls.js";
import { naturalKey } from "./view.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Listing} Listing
 * @typedef {{ signal?: AbortSignal, onFound?: (images: number) => void }} ListOptions
 *   `onFound` is called with the number of images found so far
 *
 * @typedef {object} Found  a file, not opened
 * @property {string} path
 * @property {() => Promise<File>} open
 * @property {File} [file]  if it is known without opening it
 * @property {boolean} isNamed  whether the user chose this file and not its folder. Then its ending does not matter
 */

/** File endings of images: those of `trainer score`, and those that some browsers decode. */
const IMAGES = /\.(png|jpe?g|jfif|webp|gif|bmp|tiff?|avif|hei[cf]|jxl)$/i;
const TABLES = /\.(csv|tsv)$/i;
const SIDECARS = /\.(txt|json)$/i;
/** Files of operating systems and archives, which are skipped without a message. */
const LITTER = /(^|\/)(\._[^/]*|__MACOSX(\/.*)?|\.DS_Store|Thumbs\.db|desktop\.ini)$/i;
/** The first bytes of image files, for files without an ending: PNG, JPEG, GIF, BMP, TIFF, WebP, AVIF, HEIC and JPEG XL. */
const BEGINNINGS = /^(\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF....WEBP|....ftyp|\xff\x0a|\0\0\0\x0cJXL )/s;
/** The number of kinds of skipped files that a message lists. */
const LISTED_KINDS = 4;

/** Lists a drop or a paste. Call it during the event: afterwards, the browser hides the files. @param {DataTransfer} transfer @param {ListOptions} [options] @returns {Promise<Listing>} */
export async function fromTransfer(transfer, options = {}) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const text = transfer.getData("text/uri-list") || transfer.getData("text/plain");
  const opened = items.map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  if (opened.length === 0) return text.trim() ? fromUrls(text) : nothing("there is neither a file nor an address to add; save the image first, then drop it here");
  /** @type {Found[]} */
  const found = [];
  /** @type {string[]} */
  const notices = [];
  const tell = counter(options);
  for (const { entry, file } of opened) {
    if (entry?.isDirectory) await walkEntry(/** @type {FileSystemDirectoryEntry} */ (entry), "", found, notices, tell);
    else if (file) found.push(named(file));
  }
  if (found.length === 1) found[0].path = pastedName(found[0]);
  return assemble(found, notices);
}

/** Lists the files of an `<input type="file">`. @param {Iterable<File>} files @returns {Promise<Listing>} */
export async function fromFiles(files) {
  return assemble([...files].map((file) => (file.webkitRelativePath ? { ...named(file), path: file.webkitRelativePath, isNamed: false } : named(file))), []);
}

/** Lists a folder from `showDirectoryPicker()`. @param {FileSystemDirectoryHandle} folder @param {ListOptions} [options] @returns {Promise<Listing>} */
export async function fromFolder(folder, options = {}) {
  /** @type {Found[]} */
  const found = [];
  /** @type {string[]} */
  const notices = [];
  await walkHandle(folder, "", found, notices, counter(options));
  return assemble(found, notices);
}

/** Lists URLs, one per line. `base` is the base of relative ones. @param {string} text @param {string} [base] @returns {Listing} */
export function fromUrls(text, base) {
  const { urls, notices } = urlsIn(text, base);
  return { entries: urls.map((url) => fromUrl(url)), tables: [], notices };
}

/** @param {URL} url @returns {Entry} */
function fromUrl(url) {
  const last = url.pathname.split("/").at(-1) ?? "";
  const name = url.protocol === "data:" ? "image in the address" : safelyDecoded(last) || url.host;
  return { name, path: url.protocol === "data:" ? name : url.href, url: url.href, server: url.host, blob: (signal) => downloadImage(url.href, { signal }) };
}

/** @param {string} text */
function safelyDecoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** @param {File} file @returns {Found} */
function named(file) {
  return { path: file.name, open: async () => file, file, isNamed: true };
}

let pasted = 0;

/** A new name for an image from the clipboard, which browsers call `image.png`. @param {Found} found */
function pastedName({ path, file }) {
  return path === "image.png" && file && Date.now() - file.lastModified < 10_000 ? `pasted-${++pasted}.png` : path;
}

/**
 * @param {FileSystemDirectoryEntry} folder
 * @param {string} above
 * @param {Found[]} found
 * @param {string[]} notices
 * @param {(path: string) => void} tell
 */
async function walkEntry(folder, above, found, notices, tell) {
  const path = `${above}${folder.name}/`;
  const reader = folder.createReader();
  /** @type {FileSystemEntry[]} */
  const all = [];
  try {
    // Each call returns at most a hundred entries.
    for (let some; (some = await new Promise(/** @type {(resolve: (some: FileSystemEntry[]) => void, reject: (error: Error) => void) => void} */
      ((resolve, reject) => reader.readEntries(resolve, reject)))).length > 0;) all.push(...some);
  } catch {
    notices.push(`the folder ${path} cannot be read; its images are left out`);
  }
  for (const entry of all) {
    if (entry.isDirectory) await walkEntry(/** @type {FileSystemDirectoryEntry} */ (entry), path, found, notices, tell);
    else {
      const file = /** @type {FileSystemFileEntry} */ (entry);
      tell(`${path}${entry.name}`);
      found.push({ path: `${path}${entry.name}`, open: () => new Promise((resolve, reject) => file.file(resolve, reject)), isNamed: false });
    }
  }
}

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {string} above
 * @param {Found[]} found
 * @param {string[]} notices
 * @param {(path: string) => void} tell
 */
async function walkHandle(folder, above, found, notices, tell) {
  const path = `${above}${folder.name}/`;
  try {
    for await (const entry of /** @type {AsyncIterable<FileSystemHandle>} */ (/** @type {any} */ (folder).values())) {
      if (entry.kind === "directory") await walkHandle(/** @type {FileSystemDirectoryHandle} */ (entry), path, found, notices, tell);
      else {
        const file = /** @type {FileSystemFileHandle} */ (entry);
        tell(`${path}${entry.name}`);
        found.push({ path: `${path}${entry.name}`, open: () => file.getFile(), isNamed: false });
      }
    }
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    notices.push(`the folder ${path} cannot be read; its images are left out`);
  }
}

/** @param {ListOptions} options @returns {(path: string) => void} */
function counter({ signal, onFound }) {
  let images = 0;
  return (path) => {
    signal?.throwIfAborted();
    if (IMAGES.test(path)) onFound?.(++images);
  };
}

/**
 * Sorts files into images with their sidecar files, tables, and others.
 * @param {Found[]} found
 * @param {string[]} notices
 * @returns {Promise<Listing>}
 */
async function assemble(found, notices) {
  const files = found.filter(({ path }) => !LITTER.test(path));
  const beside = new Map(files.filter(({ path }) => SIDECARS.test(path)).map((file) => [sidecarKey(file.path), file]));
  /** @type {Set<Found>} */
  const used = new Set();
  /** @type {{ entry: Entry, key: string }[]} */
  const images = [];
  /** @type {import("./types.js").Sidecar[]} */
  const tables = [];
  /** @type {Found[]} */
  const others = [];
  for (const file of files) {
    const { path, open } = file;
    if (TABLES.test(path)) tables.push({ name: nameOf(path), blob: open });
    else if (IMAGES.test(path) || (file.isNamed && !SIDECARS.test(path) && await looksLikeImage(file))) {
      const stem = path.replace(/\.[^./]*$/, "");
      const sidecars = [".txt", ".json"].flatMap((ending) => beside.get(sidecarKey(`${stem}${ending}`)) ?? []);
      for (const sidecar of sidecars) used.add(sidecar);
      images.push({ entry: entryOf(file, sidecars[0]), key: naturalKey(path) });
    } else others.push(file);
  }
  if (found.some(({ isNamed }) => !isNamed)) images.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const passed = others.filter((file) => !used.has(file));
  const said = passed.length > 0 ? [passedOver(passed)] : images.length + tables.length === 0 && notices.length === 0 ? ["no image was found"] : [];
  return { entries: images.map(({ entry }) => entry), tables, notices: [...notices, ...said] };
}

/**
 * @param {Found} found
 * @param {Found} [sidecar]
 * @returns {Entry}
 */
function entryOf({ path, open, file }, sidecar) {
  return {
    name: nameOf(path),
    path,
    blob: open,
    ...(file ? { file } : {}),
    ...(sidecar ? { sidecar: { name: nameOf(sidecar.path), blob: sidecar.open } } : {}),
  };
}

/** A path with its ending in lower case: `IMG.TXT` belongs to `IMG.PNG`. @param {string} path */
function sidecarKey(path) {
  return path.replace(/\.[^./]*$/, (ending) => ending.toLowerCase());
}

/** @param {string} path */
function nameOf(path) {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** @param {Found} found */
async function looksLikeImage({ file }) {
  if (!file) return false;
  if (file.type.startsWith("image/")) return true;
  const begin = new Uint8Array(await file.slice(0, 16).arrayBuffer().catch(() => new ArrayBuffer(0)));
  return BEGINNINGS.test(String.fromCharCode(...begin));
}

/** @param {Found[]} files */
function passedOver(files) {
  /** @type {Map<string, number>} */
  const kinds = new Map();
  for (const { path } of files) {
    const kind = /\.[^./]+$/.exec(path)?.[0].toLowerCase() ?? "without an ending";
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  const most = [...kinds].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
  const listed = most.slice(0, LISTED_KINDS).map(([kind, count]) => `${count} ${kind}`).join(", ");
  const more = most.length > LISTED_KINDS ? " and others" : "";
  return `${files.length === 1 ? "one file was" : `${files.length} files were`} skipped (${listed}${more}); expected PNG, JPEG, WebP, GIF, BMP or TIFF, or AVIF, HEIC or JPEG XL if the browser can decode them`;
}

/** @param {string} notice @returns {Listing} */
function nothing(notice) {
  return { entries: [], tables: [], notices: [notice] };
}
