// @ts-check
// errors.js — what a caller hears when something went wrong: a code to branch on, a text to show.

/** @typedef {import("./protocol.js").ScoreErrorCode} ScoreErrorCode */

export class ScoreError extends Error {
  /**
   * @param {ScoreErrorCode} code
   * @param {string} message  what, where, and what to do; lower case, no full stop
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = "ScoreError";
    /** @type {ScoreErrorCode} */
    this.code = code;
  }
}

/** What a signal's owner gave as the reason; without one the platform makes it an `AbortError`. @param {AbortSignal} signal */
export function reasonOf(signal) {
  return signal.reason ?? aborted("the call was aborted");
}

/** @param {string} message */
export function aborted(message) {
  return new DOMException(message, "AbortError");
}

/** @param {unknown} error */
export function isAbort(error) {
  return error instanceof Error && error.name === "AbortError";
}

/** The error that a worker reports as a code and a text. @param {import("./protocol.js").FailureCode} code @param {string} message */
export function errorOf(code, message) {
  return code === "aborted" ? aborted(message) : new ScoreError(code, message);
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** A size as people read it. @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}
