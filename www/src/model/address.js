// @ts-check
// address.js — the address of a bundle's model.json, also for a bundle on the Hugging Face Hub that is given by its name.

import { addressOf } from "../common/addresses.js";
import { ScoreError } from "../common/errors.js";
import { MANIFEST } from "./manifest.js";

const HUB = "https://huggingface.co";
/** How a name differs from a relative address. */
const PREFIX = "hf:";
/** The parts of a name, by the hub's rules: no `-` or `.` at either end, and no `--` or `..`. */
const PART = /^(?!.*(--|\.\.))\w(?:[\w.-]*\w)?$/;

/**
 * @param {string | URL} model  an address of a model.json, or `hf:ORG/NAME` or `hf:ORG/NAME@REVISION`: a repository of the hub
 *   with a model.json at its top. Without a revision, it is that of the branch `main`.
 * @returns {string}  the absolute address of model.json
 */
export function modelAddress(model) {
  const text = String(model);
  if (!text.startsWith(PREFIX)) return addressOf(model, "a model.json");
  const [id, revision = "main", ...rest] = text.slice(PREFIX.length).split("@");
  const parts = id.split("/");
  const isName = parts.length === 2 && parts.every((part) => PART.test(part)) && revision !== "" && rest.length === 0;
  if (!isName) throw new ScoreError("argument", `${JSON.stringify(text)} is no name of a model: expected hf:ORG/NAME or hf:ORG/NAME@REVISION`);
  return `${HUB}/${id}/resolve/${encodeURIComponent(revision)}/${MANIFEST}`;
}
