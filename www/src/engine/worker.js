// @ts-check
// worker.js — the worker: it holds model, wasm module and device, and scores images. On WebGPU the page gives it a second image while the
// graphics card computes the first one.

import { openBundle } from "../model/bundle.js";
import { Fault, openScorer } from "./backend.js";
import { isAbort, messageOf, ScoreError } from "../common/errors.js";
import { camelCase } from "./names.js";

/** @type {Awaited<ReturnType<typeof openScorer>>} */
let scorer;
/** When the last image was done. */
let doneAt = 0;
/** @type {(isWanted: boolean) => void} */
let confirmed = () => {};

/** @param {MessageEvent<import("./protocol.js").Request>} event */
self.onmessage = ({ data: request }) => {
  switch (request.type) {
    case "start":
      start(request);
      break;
    case "score":
      score(request); // The page has heard that the scorer is ready.
      break;
    case "confirmed":
      confirmed(request.isWanted);
      break;
  }
};

/** @param {import("./protocol.js").StartRequest} request */
async function start(request) {
  const bundle = openBundle({
    model: request.model,
    kept: request.kept,
    confirm: (bytes) => request.mayAsk ? ask(bytes) : Promise.resolve(true),
    tell: answer,
  });
  try {
    // An error of the bundle is reported at once, while the device is still checked.
    scorer = await Promise.race([openScorer(request, bundle, answer), bundle.then(() => new Promise(() => {}))]);
    scorer.fault.catch(fatal);
    answer({ type: "ready", info: scorer.info });
  } catch (error) {
    fatal(error);
  }
}

/** @param {number} bytes @returns {Promise<boolean>} */
function ask(bytes) {
  answer({ type: "confirm", bytes });
  return new Promise((resolve) => {
    confirmed = resolve;
  });
}

/** @param {import("./protocol.js").ScoreRequest} request */
async function score({ id, image, prompt, crops }) {
  try {
    const begin = performance.now();
    const result = camelCase(await scorer.score(new Uint8Array(image), prompt, crops ?? undefined));
    const end = performance.now();
    answer({ type: "result", id, result: { ...result, elapsedMs: end - Math.max(begin, doneAt) } });
    doneAt = end;
  } catch (error) {
    if (error instanceof Fault) fatal(error);
    else answer({ type: "error", id, code: codeOf(error, "image"), message: messageOf(error) });
  }
}

/** @param {unknown} error */
function fatal(error) {
  answer({ type: "fatal", code: codeOf(error, "device"), message: messageOf(error) });
}

/**
 * @param {unknown} error
 * @param {"image" | "device"} otherwise  the code of all errors that have none
 * @returns {import("../common/errors.js").FailureCode}
 */
function codeOf(error, otherwise) {
  if (error instanceof ScoreError) return error.code;
  return isAbort(error) ? "aborted" : otherwise;
}

/** @param {import("./protocol.js").Answer} message */
function answer(message) {
  self.postMessage(message);
}
