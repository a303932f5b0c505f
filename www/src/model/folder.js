// @ts-check
// folder.js — reads a bundle from the user's disk.

import { messageOf, ScoreError } from "../common/errors.js";
import { MANIFEST } from "./manifest.js";

/**
 * Returns the files in the folder of model.json, by name.
 * @param {File[] | FileSystemDirectoryHandle} chosen
 * @returns {Promise<Map<string, File>>}
 */
export async function filesOfFolder(chosen) {
  /** @type {Map<string, File>} */
  const files = new Map();
  if (Array.isArray(chosen)) {
    /** @param {File} file */
    const folderOf = (file) => file.webkitRelativePath.slice(0, -file.name.length);
    const manifests = chosen.filter(({ name }) => name === MANIFEST);
    if (manifests.length > 1) {
      throw new ScoreError("model", `the folder holds ${manifests.length} models, such as ${manifests[0].webkitRelativePath} and ${manifests[1].webkitRelativePath}: choose the folder of one`);
    }
    const [manifest] = manifests;
    for (const file of chosen) if (manifest && folderOf(file) === folderOf(manifest)) files.set(file.name, file);
  } else {
    for await (const [name, handle] of /** @type {any} */ (chosen).entries()) {
      if (handle.kind === "file") files.set(name, await handle.getFile());
    }
  }
  if (!files.has(MANIFEST)) throw new ScoreError("model", `the folder has no ${MANIFEST}: choose one that \`trainer export\` wrote`);
  return files;
}

/**
 * @param {Map<string, File>} files
 * @param {string} name
 */
export async function readFile(files, name) {
  const file = files.get(name);
  if (!file) throw new ScoreError("model", `the folder has no ${name}, which ${MANIFEST} lists: copy the whole folder again`);
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch (error) {
    throw new ScoreError("model", `${name} could not be read (${messageOf(error)}): choose the folder again`);
  }
}
