// @ts-check
// define.js — registers the published <tsp-gallery>. A page of `trainer score --gallery` loads this module.

import { TspPublishedGallery } from "./element.js";

TspPublishedGallery.define();
