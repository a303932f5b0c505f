// @ts-check
// progress.js — counts the images in each state, and estimates the remaining time.

/**
 * @param {readonly import("./types.js").Item[]} items
 * @param {number | null} msPerImage
 * @param {boolean} isPaused
 * @returns {import("./types.js").Progress}
 */
export function progressOf(items, msPerImage, isPaused) {
  const counts = { scored: 0, failed: 0, waiting: 0, held: 0, fromStore: 0 };
  for (const { status, isHeld, fromStore } of items) {
    if (status === "scored" || status === "failed") counts[status] += 1;
    else counts[isHeld ? "held" : "waiting"] += 1;
    if (fromStore) counts.fromStore += 1;
  }
  const secondsLeft = counts.waiting === 0 ? 0 : msPerImage && (msPerImage * counts.waiting) / 1000;
  return { total: items.length, ...counts, msPerImage, secondsLeft, isPaused };
}
