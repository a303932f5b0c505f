// collection.mjs — for the tests of the collection: one with a stand-in for the scorer, and waits for it.

import { Collection } from "../../www/src/gallery/collection.js";
import { entry, StandIn, until } from "./stand-in.mjs";

export function gallery() {
  const scorer = new StandIn();
  return { collection: new Collection({ scorer }), scorer };
}

export function entries(count) {
  return names(count).map((name) => entry(name));
}

export function names(count) {
  return Array.from({ length: count }, (_, index) => `image-${index}.png`);
}

export function done(collection, patience_ms) {
  return until(() => collection.progress.waiting === 0, patience_ms);
}

/** Until nothing has changed for some frames. */
export async function quiet(collection) {
  let frames = 0;
  const count = () => { frames = 0; };
  collection.addEventListener("change", count);
  await until(() => ++frames > 10);
  collection.removeEventListener("change", count);
}

export function heard(collection, type) {
  const details = [];
  collection.addEventListener(type, ({ detail }) => details.push(detail));
  return details;
}

export function pick(object, keys) {
  return Object.fromEntries(keys.map((key) => [key, object[key]]));
}
