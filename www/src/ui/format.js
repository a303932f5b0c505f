// @ts-check
// format.js — formats numbers and messages.

/** Adds a capital letter and a full stop. @param {string} message */
export function sentence(message) {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${/(^|[.…])$/.test(message) ? "" : "."}`;
}

/** The remaining time, rounded so that the text does not change too often. @param {number} seconds */
export function timeLeft(seconds) {
  if (seconds < 10) return "a few seconds left";
  if (seconds < 60) return `${Math.ceil(seconds / 10) * 10} s left`;
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min left`;
  const minutes = Math.ceil(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min left`;
}

/** @param {number} milliseconds */
export function duration(milliseconds) {
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/**
 * @param {number} count
 * @param {string} one
 */
export function count(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}
