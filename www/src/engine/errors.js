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

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** A size as people read it. @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}
