// @ts-check
// sources.js — images as a person brings them: dropped, pasted, picked, or named by URL. Files are listed, not opened.

import { downloadImage } from "../model/download.js";
import { urlsIn } from "./urls.js";
import { naturalKey } from "./view.js";

/**
 * @typedef {import("./types.js").Entry} Entry
 * @typedef {import("./types.js").Listing} Listing
 * @typedef {{ signal?: AbortSignal, onFound?: (images: number) => void }} ListOptions
 *   `onFound` hears how many images the folders have shown so far
 *
 * @typedef {object} Found  a file in a folder or by itself, not opened
 * @property {string} path
 * @property {() => Promise<File>} open
 * @property {File} [file]  if it is at hand anyway
 * @property {boolean} isNamed  chosen by itself: its ending does not matter
 */

/** Endings of the formats that the scorer decodes, as `trainer score` lists them. */
const IMAGES = /\.(png|jpe?g|jfif|webp|gif|bmp|tiff?)$/i;
const TABLES = /\.(csv|tsv)$/i;
const SIDECARS = /\.(txt|json)$/i;
/** What systems leave in folders that no person means: macOS's doubles of files, the folder of an archive, the trash. */
const LITTER = /(^|\/)(\._[^/]*|__MACOSX(\/.*)?|\.DS_Store|Thumbs\.db|desktop\.ini)$/i;
/** How files of picture formats begin, so that one without an ending is known (PNG, JPEG, GIF, BMP, TIFF, WebP and AVIF's boxes). */
const BEGINNINGS = /^(\x89PNG|\xff\xd8\xff|GIF8|BM|II\*\0|MM\0\*|RIFF....WEBP|....ftyp)/s;
/** So many kinds of files that were passed over are named. */
const TOLD_KINDS = 4;

/** From a drop or a paste. Call it inside the event: later the browser hides the files. @param {DataTransfer} transfer @param {ListOptions} [options] @returns {Promise<Listing>} */
export async function fromTransfer(transfer, options = {}) {
  const items = [...transfer.items].filter(({ kind }) => kind === "file");
  const text = transfer.getData("text/uri-list") || transfer.getData("text/plain");
  const opened = items.map((item) => ({ entry: item.webkitGetAsEntry?.() ?? null, file: item.getAsFile() }));
  if (opened.length === 0) return text.trim() ? fromUrls(text) : nothing("there is neither a file nor the address of an image in it; save the image first, then drop it here");
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

/** From `<input type="file" multiple>`, also with `webkitdirectory`. @param {Iterable<File>} files @returns {Promise<Listing>} */
export async function fromFiles(files) {
  return assemble([...files].map((file) => (file.webkitRelativePath ? { ...named(file), path: file.webkitRelativePath, isNamed: false } : named(file))), []);
}

/** From `showDirectoryPicker()`. @param {FileSystemDirectoryHandle} folder @param {ListOptions} [options] @returns {Promise<Listing>} */
export async function fromFolder(folder, options = {}) {
  /** @type {Found[]} */
  const found = [];
  /** @type {string[]} */
  const notices = [];
  await walkHandle(folder, "", found, notices, counter(options));
  return assemble(found, notices);
}

/** One URL a line; `base` for relative ones. @param {string} text @param {string} [base] @returns {Listing} */
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

/** Browsers call every image on the clipboard `image.png`, made just now. @param {Found} found */
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
    // The browser hands out a hundred at a time.
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
 * Images with the prompt files beside them; tables; and what is neither.
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
  const said = passed.length > 0 ? [passedOver(passed)] : images.length + tables.length === 0 && notices.length === 0 ? ["there is no image in it"] : [];
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

/** Endings in any case: `IMG.PNG` has `IMG.TXT`, where the name itself must be the same. @param {string} path */
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
  const told = most.slice(0, TOLD_KINDS).map(([kind, count]) => `${count} ${kind}`).join(", ");
  const more = most.length > TOLD_KINDS ? " and others" : "";
  return `${files.length === 1 ? "one file is" : `${files.length} files are`} no image that can be scored and passed over (${told}${more}); expected PNG, JPEG, WebP, GIF, BMP or TIFF`;
}

/** @param {string} notice @returns {Listing} */
function nothing(notice) {
  return { entries: [], tables: [], notices: [notice] };
}
