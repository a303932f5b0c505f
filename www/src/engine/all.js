// @ts-check
// all.js — scores many images with one scorer, as an async iterable.

import { isAbort, ScoreError } from "../common/errors.js";
import { AHEAD } from "./queue.js";

/**
 * @typedef {import("./protocol.js").ScoreInput} ScoreInput
 * @typedef {import("./protocol.js").ScoreOutput} ScoreOutput
 */

/**
 * See `Scorer.scoreAll`.
 * @param {{ score: import("./client.js").Scorer["score"] }} scorer
 * @param {Iterable<ScoreInput> | AsyncIterable<ScoreInput>} images
 * @param {import("./protocol.js").ScoreOptions} options
 * @returns {AsyncGenerator<ScoreOutput, void, void>}
 */
export async function* scoreAll(scorer, images, options) {
  const { signal } = options;
  const left = new AbortController();
  const leave = () => left.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener("abort", leave);
  /** @type {Promise<ScoreOutput>[]} */
  const asked = [];
  try {
    let index = 0;
    for await (const input of images) {
      signal?.throwIfAborted();
      const output = one(scorer, index, input, { ...options, signal: left.signal });
      output.catch(() => {}); // The error is thrown when its turn comes. After an early exit it is ignored.
      asked.push(output);
      index += 1;
      if (asked.length > AHEAD) yield /** @type {ScoreOutput} */ (await asked.shift());
    }
    while (asked.length > 0) yield /** @type {ScoreOutput} */ (await asked.shift());
  } finally {
    signal?.removeEventListener("abort", leave);
    left.abort();
  }
}

/**
 * @param {{ score: import("./client.js").Scorer["score"] }} scorer
 * @param {number} index
 * @param {ScoreInput} input
 * @param {import("./protocol.js").ScoreOptions} options
 * @returns {Promise<ScoreOutput>}
 */
async function one(scorer, index, input, options) {
  const { image, prompt = null } = isPair(input) ? input : { image: input };
  try {
    return { index, image, prompt, result: await scorer.score(image, prompt, options), error: null };
  } catch (error) {
    if (options.signal?.aborted || isAbort(error) || !(error instanceof ScoreError) || error.code === "closed") throw error;
    return { index, image, prompt, result: null, error };
  }
}

/** @param {ScoreInput} input @returns {input is { image: import("./protocol.js").ImageSource, prompt?: string | null }} */
function isPair(input) {
  return typeof input === "object" && input !== null && "image" in input;
}
