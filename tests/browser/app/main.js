// main.js — what every bundler builds: both elements and a scorer, which one element shares.

import { createScorer } from "tsp-mgs";
import "tsp-mgs/define";

const files = document.documentElement.dataset.files; // Where a bundler does not place the package's worker and wasm.
const scorer = await createScorer({ model: "/model/model.json", device: "cpu", crops: 1, files });
Object.assign(document.querySelector("tsp-score"), { scorer, src: "/samples/cat.jpg" });
