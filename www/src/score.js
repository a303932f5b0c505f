// @ts-check
/// <reference path="./elements/tags.d.ts" preserve="true" />
// score.js — the entry `tsp-mgs/score`: the class of <tsp-score>. It registers nothing.

export { TspScore } from "./elements/tsp-score.js";
