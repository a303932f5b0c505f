// @ts-check
// files.js — where the library's other files lie: beside the built script, unless its user says otherwise.

import { ScoreError } from "./errors.js";

/** @typedef {import("./protocol.js").Modules} Modules */

/** What a relative address is relative to: the document's base, in a worker its script. */
function base() {
  return globalThis.document?.baseURI ?? globalThis.location?.href;
}

/**
 * @param {string | URL} address
 * @param {string} what  the address should lead to
 * @returns {string}  absolute
 */
export function addressOf(address, what) {
  try {
    return new URL(address, base()).href;
  } catch {
    throw new ScoreError("argument", `${JSON.stringify(String(address))} is no address of ${what}`);
  }
}

/** @param {URL} address */
function whole(address) {
  return addressOf(address, "a file of the library");
}

/** @param {string | URL} folder */
function folderOf(folder) {
  return addressOf(String(folder).replace(/\/?$/, "/"), "a folder");
}

/**
 * Each address is written out, as bundlers find, copy and rename a file only by `new URL("…", import.meta.url)` in one piece.
 * Our own build must leave them alone: the files lie beside what it makes, not beside this source. Next.js gives paths instead of whole
 * addresses, which mean nothing in a worker that starts from a blob.
 *
 * @param {string | URL} [folder]
 * @returns {{ worker: string, modules: Modules }}
 */
export function filesOfLibrary(folder) {
  if (folder !== undefined) {
    const base = folderOf(folder);
    /** @param {string} path */
    const at = (path) => new URL(path, base).href;
    return {
      worker: at("tsp-mgs-worker.js"),
      modules: {
        webgpu: { glue: at("wasm/webgpu/tsp_mgs_web.js"), wasm: at("wasm/webgpu/tsp_mgs_web_bg.wasm") },
        cpu: { glue: at("wasm/cpu/tsp_mgs_web.js"), wasm: at("wasm/cpu/tsp_mgs_web_bg.wasm") },
        "cpu-relaxed": { glue: at("wasm/cpu-relaxed/tsp_mgs_web.js"), wasm: at("wasm/cpu-relaxed/tsp_mgs_web_bg.wasm") },
      },
    };
  }
  return {
    worker: whole(new URL(/* @vite-ignore */ "./tsp-mgs-worker.js", import.meta.url)),
    modules: {
      webgpu: {
        glue: whole(new URL(/* @vite-ignore */ "./wasm/webgpu/tsp_mgs_web.js", import.meta.url)),
        wasm: whole(new URL(/* @vite-ignore */ "./wasm/webgpu/tsp_mgs_web_bg.wasm", import.meta.url)),
      },
      cpu: {
        glue: whole(new URL(/* @vite-ignore */ "./wasm/cpu/tsp_mgs_web.js", import.meta.url)),
        wasm: whole(new URL(/* @vite-ignore */ "./wasm/cpu/tsp_mgs_web_bg.wasm", import.meta.url)),
      },
      "cpu-relaxed": {
        glue: whole(new URL(/* @vite-ignore */ "./wasm/cpu-relaxed/tsp_mgs_web.js", import.meta.url)),
        wasm: whole(new URL(/* @vite-ignore */ "./wasm/cpu-relaxed/tsp_mgs_web_bg.wasm", import.meta.url)),
      },
    },
  };
}

/**
 * The model that a page puts beside the library. It is no part of the package, so no bundler must look for it.
 * @param {string | URL} [folder]
 */
export function modelBesideLibrary(folder) {
  return new URL("model/model.json", folder === undefined ? import.meta.url : folderOf(folder)).href;
}
