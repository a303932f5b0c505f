// @ts-check
// live.js — scores the rows of a table that have no score, with the scorer of the package.

import { createScorer } from "../engine/client.js";

/**
 * Returns a function that scores images as the element's attributes `model`, `device`, `crops` and `files` say.
 * @param {HTMLElement} element
 * @returns {import("./show.js").ScoreRows}
 */
export function liveScores(element) {
  return async function* (images, confirmDownload, signal) {
    const attribute = (/** @type {string} */ name) => element.getAttribute(name) ?? undefined;
    const crops = attribute("crops");
    const scorer = await createScorer({
      model: attribute("model"),
      device: /** @type {import("../engine/protocol.js").DeviceChoice | undefined} */ (attribute("device")),
      crops: crops === undefined ? undefined : Number(crops),
      files: attribute("files"),
      confirmDownload,
      signal,
    });
    try {
      yield* scorer.scoreAll(images, { signal });
    } finally {
      scorer.close();
    }
  };
}
