// @ts-check
// index.js — the package's entry. Importing it does nothing; `createScorer` loads, `defineElements` registers.

import { TspGallery } from "./elements/tsp-gallery.js";
import { TspScore } from "./elements/tsp-score.js";

export { createScorer, Scorer } from "./engine/client.js";
export { ScoreError } from "./engine/errors.js";
export { clearModelCache, modelCacheBytes } from "./model/cache.js";

/**
 * @typedef {import("./engine/protocol.js").ScorerOptions} ScorerOptions
 * @typedef {import("./engine/protocol.js").ScoreOptions} ScoreOptions
 * @typedef {import("./engine/protocol.js").ImageSource} ImageSource
 * @typedef {import("./engine/protocol.js").ModelSource} ModelSource
 * @typedef {import("./engine/protocol.js").ScorerEvent} ScorerEvent
 * @typedef {import("./engine/protocol.js").Info} Info
 * @typedef {import("./engine/protocol.js").Result} Result
 * @typedef {import("./engine/protocol.js").Task} Task
 */

/** Makes `<tsp-score>` and `<tsp-gallery>` known to the page. */
export function defineElements() {
  // Their classes stand here, not in the package's types: those would need lit's, which is built in.
  for (const [name, element] of /** @type {[string, CustomElementConstructor][]} */ ([["tsp-score", TspScore], ["tsp-gallery", TspGallery]])) {
    if (!customElements.get(name)) customElements.define(name, element);
  }
}
