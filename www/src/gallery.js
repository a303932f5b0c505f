// @ts-check
/// <reference path="./elements/tags.d.ts" preserve="true" />
// gallery.js — the entry `tsp-mgs/gallery`: the class of <tsp-gallery>. It registers nothing.

export { TspGallery } from "./elements/tsp-gallery.js";
