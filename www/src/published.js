// @ts-check
/// <reference path="./elements/tags.d.ts" preserve="true" />
// published.js — the entry `tsp-mgs/published`: registers a <tsp-gallery> that shows what `trainer score` wrote, and nothing else.
// On a server it does nothing. The scorer is loaded once a visitor asks for scores that are missing.

import { TspPublishedGallery } from "./published/element.js";

TspPublishedGallery.scorer = (element) => async function* (images, confirmDownload, signal) {
  const { liveScores } = await import("./published/live.js");
  yield* liveScores(element)(images, confirmDownload, signal);
};

TspPublishedGallery.define();

export { TspPublishedGallery };
