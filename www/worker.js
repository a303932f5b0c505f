// @ts-check
// worker.js — owns the wasm module and the GPU, and scores one image at a time.

import { Fault, messageOf, openScorer } from "./scorer.js";

/** @type {Awaited<ReturnType<typeof openScorer>>} */
let scorer;
let queue = Promise.resolve();
/** The image in work, so that a crash is reported with it. @type {number | null} */
let current = null;

/** @param {MessageEvent<import("./protocol.js").Request>} event */
self.onmessage = ({ data: request }) => {
  queue = queue.then(() => (request.type === "start" ? start(request) : score(request)));
};

/** @param {import("./protocol.js").StartRequest} request */
async function start(request) {
  try {
    scorer = await openScorer(request, answer);
    scorer.fault.catch(fatal);
    answer({ type: "ready", info: scorer.info, note: scorer.note });
  } catch (error) {
    fatal(error);
  }
}

/** @param {import("./protocol.js").ScoreRequest} request */
async function score({ id, image, prompt }) {
  current = id;
  const begin = performance.now();
  try {
    const result = await scorer.score(image, prompt);
    answer({ type: "result", id, result, elapsed_ms: performance.now() - begin });
  } catch (error) {
    if (error instanceof Fault) fatal(error);
    else answer({ type: "error", id, error: messageOf(error) });
  }
  current = null;
}

/** @param {unknown} error */
function fatal(error) {
  answer({ type: "fatal", id: current, error: messageOf(error) });
}

/** @param {import("./protocol.js").Answer} message */
function answer(message) {
  self.postMessage(message);
}
