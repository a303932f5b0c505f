// @ts-check
// preload.js — a model before there is a scorer: whether it is here, what it costs, and its download.

import { ScoreError } from "../engine/errors.js";
import { addressOf } from "../engine/files.js";
import { RemoteModel } from "./shards.js";

/**
 * @typedef {object} PreloadOptions
 * @property {AbortSignal} [signal]  gives up; shards that have come are kept
 * @property {(event: import("../engine/protocol.js").ProgressEvent) => void} [onProgress]
 */

/**
 * How many bytes a model has, and how many of them are still to be downloaded. Only its model.json is fetched.
 * @param {string | URL} model  address of a model.json
 * @returns {Promise<{ bytes: number, toDownload: number }>} rejects with a {@link ScoreError}
 */
export async function modelSize(model) {
  const { size, toDownload } = await open(model);
  return { bytes: size, toDownload };
}

/**
 * Whether this page's origin keeps the whole model, so that a scorer starts without a download.
 * @param {string | URL} model  address of a model.json
 * @returns {Promise<boolean>} rejects with a {@link ScoreError} when the model.json is neither kept nor to be had
 */
export async function isModelCached(model) {
  return (await open(model)).isHere;
}

/**
 * Downloads a model into the browser's cache, for a scorer that is created later. It asks nobody.
 * @param {string | URL} model  address of a model.json
 * @param {PreloadOptions} [options]
 * @returns {Promise<void>} rejects with a {@link ScoreError}, or with the signal's reason
 */
export async function preload(model, { signal, onProgress } = {}) {
  signal?.throwIfAborted();
  const remote = await open(model, (told) => {
    if (told.type === "progress") onProgress?.(told);
    if (told.type === "kept") {
      throw new ScoreError("device", "the browser does not keep the model, as its storage for this page is full or blocked: free disk space, or let a scorer load the model into memory");
    }
  });
  await remote.fetch(async () => true, signal);
}

/** @param {string | URL} model @param {(told: import("./shards.js").Told) => void} [tell] */
function open(model, tell = () => {}) {
  return RemoteModel.open(addressOf(model, "a model.json"), new Map(), tell);
}
