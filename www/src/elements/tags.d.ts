// tags.d.ts — what TypeScript knows of the elements in HTML: their tags, and the events that they send.

import type { TspGallery } from "./tsp-gallery.js";
import type { TspScore } from "./tsp-score.js";
import type { Item, Mark } from "../gallery/types.js";
import type { Info, Result } from "../engine/protocol.js";

export interface TspEvents {
  /** `<tsp-score>` has its result. */
  "tsp-score": CustomEvent<Result>;
  /** Either element: what went wrong. */
  "tsp-error": CustomEvent<{ code: string; message: string }>;
  /** `<tsp-gallery>` can score; again when the device or the crops change. */
  "tsp-ready": CustomEvent<Info>;
  /** `<tsp-gallery>` has a result for an image. */
  "tsp-scored": CustomEvent<Item>;
  /** A person has marked images. */
  "tsp-mark": CustomEvent<{ ids: number[]; mark: Mark }>;
  /** A person has chosen light or dark. */
  "tsp-theme": CustomEvent<{ theme: "light" | "dark" }>;
}

declare global {
  interface HTMLElementTagNameMap {
    "tsp-score": TspScore;
    "tsp-gallery": TspGallery;
  }
  interface GlobalEventHandlersEventMap extends TspEvents {}
}
