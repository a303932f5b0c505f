// @ts-check
// header.js — the header: title, number of crops, device, download, errors and warnings.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";

import { megabytes } from "../common/errors.js";
import { duration, sentence, timeLeft } from "./format.js";
import { icons } from "./icons.js";

/** @typedef {import("./gallery-element.js").GalleryElement} Gallery */

/** The choices for the number of crops of each task. */
const TIERS = [
  { crops: 1, name: "Fast", does: "one crop: up to 15 times faster, slightly less accurate" },
  { crops: 5, name: "Balanced", does: "five crops" },
  { crops: 15, name: "Best", does: "15 crops, as in the paper" },
];

/** @param {Gallery} gallery */
export function header(gallery) {
  const { engine, collection } = gallery;
  const info = engine.scorer?.info ?? null;
  const { msPerImage } = collection.progress;
  const chosen = engine.wanted.crops ?? info?.crops;
  return html`<header part="header">
    <div class="title">
      <h1><slot name="title">How good are these generated images?</slot></h1>
      <p><slot name="subtitle">Scores for how good they look and how well they show their prompts. Your images stay on this device.</slot></p>
    </div>
    <div class="run">
      <fieldset class="segments" ?disabled=${engine.state === "loading"}>
        <legend>Scoring</legend>
        ${TIERS.map(({ crops, name, does }) => html`<label title=${does}>
          <input type="radio" name="crops" value=${crops} .checked=${live(crops === chosen)} @change=${() => engine.configure({ crops })}>
          <span>${name}</span></label>`)}
      </fieldset>
      <button type="button" class="chip ${engine.state}" part="device" title=${info ? `${info.device}, weights as ${info.dtype}` : ""} @click=${() => gallery.windows.show("model")}>
        <span>${info
          ? html`<b>${info.backend === "webgpu" ? "WebGPU" : "CPU"}</b><span class="wide"> · ${info.dtype}</span>${msPerImage === null ? nothing : html` · ${duration(msPerImage)}<span class="wide"> an image</span>`}`
          : { idle: "No model", loading: "Loading …", recovering: "Starting again …", failed: "No scorer", stopped: "Not loaded", ready: "" }[engine.state]}</span>
      </button>
      <button type="button" class="icon plain" aria-label=${gallery.isDark() ? "Light colours" : "Dark colours"} title=${gallery.isDark() ? "Light colours" : "Dark colours"}
        @click=${() => gallery.switchTheme()}>${gallery.isDark() ? icons.light : icons.dark}</button>
      <button type="button" class="icon plain" aria-label="Keys" title="Keys (?)" @click=${() => gallery.windows.show("help")}>${icons.help}</button>
    </div>
  </header>
  <div class="banners">${download(gallery)}${failure(gallery)}${warning(info)}${gallery.notices.map((notice) => html`<div class="banner" part="notice">
    <p>${sentence(notice)}</p>
    <button type="button" class="icon" aria-label="Dismiss" @click=${() => gallery.dismiss(notice)}>${icons.close}</button></div>`)}
    <slot name="banner"></slot>
  </div>`;
}

/** @param {Gallery} gallery */
function download({ engine }) {
  const { progress, state, message } = engine;
  if (state !== "loading") return nothing;
  // The banner has its final height from the start, so that buttons do not move under the pointer.
  if (!progress) return html`<div class="banner" part="progress"><p>${sentence(message)}</p></div>`;
  const { loaded, total, fromCache, bytesPerSecond, secondsLeft } = progress;
  const isWhole = loaded >= total;
  return html`<div class="banner" part="progress">
    <p>${fromCache ? "Opening the model from this browser's cache" : isWhole ? "Preparing the model" : "Downloading the model"}:
      ${(loaded / 1e6).toFixed(1)} of ${megabytes(total)}${fromCache || isWhole || bytesPerSecond === null ? nothing : html` · ${megabytes(bytesPerSecond)}/s`}${
        fromCache || isWhole || secondsLeft === null ? nothing : html` · ${timeLeft(secondsLeft)}`}</p>
    ${isWhole ? nothing : html`<button type="button" @click=${() => engine.cancel()}>Cancel</button>`}
    <progress max=${total} value=${loaded} aria-label="Model"></progress></div>`;
}

/** @param {Gallery} gallery */
function failure(gallery) {
  const { engine } = gallery;
  if (engine.state !== "failed" && engine.state !== "stopped") return nothing;
  return html`<div class="banner ${engine.state === "failed" ? "alarm" : ""}" role=${engine.state === "failed" ? "alert" : "status"} part="error">
    <p>${sentence(engine.message)}</p>
    <button type="button" @click=${() => engine.load()}>${engine.state === "failed" ? "Try again" : "Load the model"}</button>
    <button type="button" @click=${() => gallery.windows.show("model")}>Choose another model</button></div>`;
}

/** @param {import("../engine/protocol.js").Info | null} info */
function warning(info) {
  if (!info) return nothing;
  const others = info.notes.filter((note) => note !== info.warning);
  return html`${info.warning === null ? nothing : html`<div class="banner warn" part="warning"><p>${sentence(info.warning)}</p></div>`}${
    others.length === 0 ? nothing : html`<div class="banner" part="notice"><p>${others.map(sentence).join(" ")}</p></div>`}`;
}
