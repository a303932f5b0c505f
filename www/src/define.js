// @ts-check
/// <reference path="./elements/tags.d.ts" preserve="true" />
// define.js — the entry `tsp-mgs/define`: registers <tsp-score> and <tsp-gallery>. On a server, it does nothing.

import { TspGallery } from "./elements/tsp-gallery.js";
import { TspScore } from "./elements/tsp-score.js";

export { TspGallery, TspScore };

for (const [name, element] of /** @type {const} */ ([["tsp-score", TspScore], ["tsp-gallery", TspGallery]])) {
  if (typeof window !== "undefined" && !customElements.get(name)) customElements.define(name, element);
}
