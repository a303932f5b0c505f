// @ts-check
// preload.js — size, presence and download of a model, without a scorer.

import { ScoreError } from "../common/errors.js";
import { modelAddress } from "./address.js";
import { RemoteModel } from "./shards.js";

/**
 * @typedef {object} PreloadOptions
 * @property {AbortSignal} [signal]  stops the download. Complete shards are kept
 * @property {(event: import("./meter.js").ProgressEvent) => void} [onProgress]
 */

/**
 * Returns the size of a model and the size of its missing shards, in bytes. It fetches only model.json.
 * @param {string | URL} model  the address of a model.json, or `hf:ORG/NAME`
 * @returns {Promise<{ bytes: number, toDownload: number }>} rejects with a {@link ScoreError}
 */
export async function modelSize(model) {
  const { size, toDownload } = await open(model);
  return { bytes: size, toDownload };
}

/**
 * Whether the browser's cache holds the whole model, so that a scorer starts without a download.
 * @param {string | URL} model  address of a model.json, or `hf:ORG/NAME`
 * @returns {Promise<boolean>} rejects with a {@link ScoreError} if model.json is neither in the cache nor on the server
 */
export async function isModelCached(model) {
  return (await open(model)).isHere;
}

/**
 * Downloads a model into the browser's cache, without a confirmation.
 * @param {string | URL} model  address of a model.json, or `hf:ORG/NAME`
 * @param {PreloadOptions} [options]
 * @returns {Promise<void>} rejects with a {@link ScoreError}, or with the signal's reason
 */
export async function preload(model, { signal, onProgress } = {}) {
  signal?.throwIfAborted();
  const remote = await open(model, (event) => {
    if (event.type === "progress") onProgress?.(event);
    if (event.type === "kept") {
      throw new ScoreError("device", "the browser cannot store the model: its storage for this page is full or blocked; free disk space, or create a scorer, which loads the model into memory");
    }
  });
  await remote.fetch(async () => true, signal);
}

/** @param {string | URL} model @param {(event: import("./shards.js").LoadEvent) => void} [tell] */
function open(model, tell = () => {}) {
  return RemoteModel.open(modelAddress(model), new Map(), tell);
}
