// jsx.d.ts — the entry `tsp-mgs/jsx`: the types of both elements for React 19. Other libraries can use `TspElements`.

import type { HTMLAttributes, RefAttributes } from "react";
import type { TspEvents } from "./elements/tags.js";
import type { TspGallery } from "./elements/tsp-gallery.js";
import type { TspScore } from "./elements/tsp-score.js";

type Element<Type, Property extends keyof Type, Event extends keyof TspEvents> = HTMLAttributes<Type> & RefAttributes<Type> &
  { [Name in Property]?: Type[Name] } & { [Name in Event as `on${Name}`]?: (event: TspEvents[Name]) => void };

export interface TspElements {
  "tsp-score": Element<TspScore, "src" | "prompt" | "alt" | "model" | "device" | "crops" | "files" | "scorer", "tsp-score" | "tsp-error"> &
    { result?: object | string | null };
  "tsp-gallery": Element<TspGallery, "src" | "live" | "model" | "device" | "crops" | "files" | "samples" | "theme",
    "tsp-ready" | "tsp-scored" | "tsp-mark" | "tsp-error" | "tsp-theme"> & { "show-samples"?: boolean };
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements extends TspElements {}
  }
}
