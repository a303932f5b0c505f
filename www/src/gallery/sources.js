// @ts-check
// sources.js — images as a person brings them: dropped, pasted, picked, or named by URL. Nothing is opened here.

/** @typedef {import("./types.js").Listing} Listing */
/** `onFound` hears how many images a folder has shown so far. @typedef {{ signal?: AbortSignal, onFound?: (images: number) => void }} ListOptions */

/** From a drop or a paste. Call it inside the event: later the browser hides the files. @param {DataTransfer} transfer @param {ListOptions} [options] @returns {Promise<Listing>} */
export async function fromTransfer(transfer, options) { throw new Error(`not yet: ${transfer} ${options}`); }
/** From `<input type="file" multiple>`, also with `webkitdirectory`. @param {Iterable<File>} files @returns {Promise<Listing>} */
export async function fromFiles(files) { throw new Error(`not yet: ${files}`); }
/** From `showDirectoryPicker()`. @param {FileSystemDirectoryHandle} folder @param {ListOptions} [options] @returns {Promise<Listing>} */
export async function fromFolder(folder, options) { throw new Error(`not yet: ${folder} ${options}`); }
/** One URL a line; `base` for relative ones. @param {string} text @param {string} [base] @returns {Listing} */
export function fromUrls(text, base) { throw new Error(`not yet: ${text} ${base}`); }
