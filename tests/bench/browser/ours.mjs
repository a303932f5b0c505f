// @ts-check
// ours.mjs — the library in a page. Each function runs there by itself: it sees nothing of this file.

/** @param {{ device: string, image: string }} request */
export async function load({ device, image }) {
  const { createScorer } = await import(/* @vite-ignore */ "/tsp-mgs.js".toString());
  const state = /** @type {any} */ (window);
  state.image = await (await fetch(image)).blob();
  state.scorer = await createScorer({ model: "/model/model.json", device });
  return state.scorer.info;
}

/** Scores the image `times` times: the last result, and the seconds of each. @param {{ times: number }} request */
export async function run({ times }) {
  const { scorer, image } = /** @type {any} */ (window);
  const seconds = [];
  let result;
  for (let time = 0; time < times; time++) {
    const start = performance.now();
    result = await scorer.score(image);
    seconds.push((performance.now() - start) / 1000);
  }
  return { seconds, result };
}
