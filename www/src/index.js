// @ts-check
// index.js — the package's entry. Importing it does nothing; `createScorer` loads, `defineElements` registers.

import { TspScore } from "./elements/tsp-score.js";

export { ScoreError } from "./engine/errors.js";
export { createScorer, Scorer } from "./engine/client.js";
export { clearModelCache, modelCacheBytes } from "./model/cache.js";
export { TspScore };

/**
 * @typedef {import("./engine/protocol.js").ScorerOptions} ScorerOptions
 * @typedef {import("./engine/protocol.js").ScoreOptions} ScoreOptions
 * @typedef {import("./engine/protocol.js").ImageSource} ImageSource
 * @typedef {import("./engine/protocol.js").ScorerEvent} ScorerEvent
 * @typedef {import("./engine/protocol.js").Info} Info
 * @typedef {import("./engine/protocol.js").Result} Result
 * @typedef {import("./engine/protocol.js").Task} Task
 */

/** Makes `<tsp-score>` known to the page. */
export function defineElements() {
  for (const [name, element] of /** @type {const} */ ([["tsp-score", TspScore]])) {
    if (!customElements.get(name)) customElements.define(name, element);
  }
}
