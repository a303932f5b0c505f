// @ts-check
// index.js — the entry `tsp-mgs`: the scorer without elements. The import has no effects, so servers and workers can import it.

export { createScorer, Scorer } from "./engine/client.js";
export { ScoreError } from "./common/errors.js";
export { clearModelCache, modelCacheBytes } from "./model/cache.js";
export { isModelCached, modelSize, preload } from "./model/preload.js";

/**
 * @typedef {import("./engine/protocol.js").ScorerOptions} ScorerOptions
 * @typedef {import("./engine/protocol.js").ScoreOptions} ScoreOptions
 * @typedef {import("./engine/protocol.js").ScoreInput} ScoreInput
 * @typedef {import("./engine/protocol.js").ScoreOutput} ScoreOutput
 * @typedef {import("./common/errors.js").ScoreErrorCode} ScoreErrorCode
 * @typedef {import("./engine/protocol.js").ImageSource} ImageSource
 * @typedef {import("./engine/protocol.js").ModelSource} ModelSource
 * @typedef {import("./engine/protocol.js").ScorerEvent} ScorerEvent
 * @typedef {import("./engine/protocol.js").Info} Info
 * @typedef {import("./engine/protocol.js").Result} Result
 * @typedef {import("./engine/protocol.js").Task} Task
 */
