// @ts-check
// files.js — the addresses of the library's other files: in the folder of the built script, or in a folder that the caller names.

import { addressOf } from "../common/addresses.js";

/** @typedef {import("./protocol.js").Modules} Modules */

/** @param {URL} address */
function whole(address) {
  return addressOf(address, "a file of the library");
}

/** @param {string | URL} folder */
function folderOf(folder) {
  return addressOf(String(folder).replace(/\/?$/, "/"), "a folder");
}

/**
 * Returns the addresses of worker and modules. Each `new URL("…", import.meta.url)` is written out, because bundlers find files only
 * by this expression. Our own build must ignore it, since it writes the files elsewhere. The addresses are made absolute, because
 * Next.js replaces the expression by a path, which a worker from a blob cannot resolve.
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
 * The default address of the model. The model is not part of the package, so bundlers must not look for it.
 * @param {string | URL} [folder]
 */
export function modelBesideLibrary(folder) {
  return new URL("model/model.json", folder === undefined ? import.meta.url : folderOf(folder)).href;
}
