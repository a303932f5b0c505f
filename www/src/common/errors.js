// @ts-check
// errors.js — the errors that callers get: a code for programs and a message for people.

/**
 * @typedef {"argument" | "image" | "model" | "device" | "network" | "not-ready" | "closed"} ScoreErrorCode
 *   argument: the call is wrong; image: only this image cannot be scored; model: the bundle is not valid; device: no device can
 *   compute, or the device computed wrong numbers; network: model or image could not be fetched; not-ready: the model is not loaded
 *   yet; closed: the scorer was closed
 * @typedef {ScoreErrorCode | "aborted"} FailureCode  what a worker reports; aborted: the user declined the download
 */

export class ScoreError extends Error {
  /**
   * @param {ScoreErrorCode} code
   * @param {string} message  what is wrong, where, and what to do; in lower case, without a full stop
   * @param {ErrorOptions} [options]
   */
  constructor(code, message, options) {
    super(message, options);
    this.name = "ScoreError";
    /** @type {ScoreErrorCode} */
    this.code = code;
  }
}

/** The reason that the owner of an aborted signal gave, an `AbortError` by default. @param {AbortSignal} signal */
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

/** The error for a code and a message that a worker reported. @param {FailureCode} code @param {string} message */
export function errorOf(code, message) {
  return code === "aborted" ? aborted(message) : new ScoreError(code, message);
}

/** @param {unknown} error */
export function messageOf(error) {
  return error instanceof Error ? error.message : String(error);
}

/** A size as text, such as "21 MB". @param {number} bytes */
export function megabytes(bytes) {
  return `${(bytes / 1e6).toFixed(bytes < 9.95e6 ? 1 : 0)} MB`;
}
