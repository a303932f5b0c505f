// @ts-check
// page.js — the places in index.html that the code fills, by name and type.

export const page = {
  stage: find("#stage", HTMLElement),
  file: find("#file", HTMLInputElement),
  drop: find("#drop", HTMLElement),
  frame: find("#frame", HTMLElement),
  image: find("#image", HTMLImageElement),
  overlay: find("#overlay", SVGSVGElement),
  noPreview: find("#no-preview", HTMLElement),
  busy: find("#busy", HTMLElement),
  another: find("#another", HTMLElement),
  name: find("#name", HTMLElement),
  patches: find("#patches", HTMLFieldSetElement),
  patchScale: find("#patch-scale", HTMLElement),
  samples: find("#samples", HTMLElement),
  ask: find("#ask", HTMLFormElement),
  prompt: find("#prompt", HTMLTextAreaElement),
  promptNote: find("#prompt-note", HTMLElement),
  submit: find("#ask button", HTMLButtonElement),
  progress: find("#progress", HTMLElement),
  bar: find("#progress progress", HTMLProgressElement),
  loaded: find("#progress span", HTMLElement),
  status: find("#status", HTMLElement),
  error: find("#error", HTMLElement),
  warning: find("#warning", HTMLElement),
  notes: find("#notes", HTMLElement),
  results: find("section.right", HTMLElement),
  scores: find("#scores", HTMLElement),
  parts: find("#parts", HTMLElement),
  device: find("#device", HTMLElement),
};

/**
 * @template {Element} T
 * @param {string} selector
 * @param {new () => T} type
 */
function find(selector, type) {
  const found = document.querySelector(selector);
  if (!(found instanceof type)) throw new Error(`index.html has no ${selector}`);
  return found;
}
