// tags.d.ts — the types of the elements' tags and events.

import type { TspGallery } from "./tsp-gallery.js";
import type { TspScore } from "./tsp-score.js";
import type { Item, Mark } from "../gallery/types.js";
import type { Info, Result } from "../engine/protocol.js";

export interface TspEvents {
  /** `<tsp-score>` has a result. */
  "tsp-score": CustomEvent<Result>;
  /** An error, from both elements. */
  "tsp-error": CustomEvent<{ code: string; message: string }>;
  /** `<tsp-gallery>` can score. Sent again after a change of the device or the crops. */
  "tsp-ready": CustomEvent<Info>;
  /** `<tsp-gallery>` has a result for an image. */
  "tsp-scored": CustomEvent<Item>;
  /** The user marked images. */
  "tsp-mark": CustomEvent<{ ids: number[]; mark: Mark }>;
  /** The user chose light or dark. */
  "tsp-theme": CustomEvent<{ theme: "light" | "dark" }>;
}

declare global {
  interface HTMLElementTagNameMap {
    "tsp-score": TspScore;
    "tsp-gallery": TspGallery;
  }
  interface GlobalEventHandlersEventMap extends TspEvents {}
}
