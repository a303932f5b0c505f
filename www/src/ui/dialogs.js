// @ts-check
// dialogs.js — the dialogs: the keys, addresses of images, the model, and the question before a large download.

import { html, nothing } from "lit";
import { live } from "lit/directives/live.js";

import { megabytes } from "../common/errors.js";
import { icons } from "./icons.js";
import { KEYS } from "./keyboard.js";

/** @typedef {import("./gallery-element.js").GalleryElement} Gallery */

/** @param {Gallery} gallery @param {string} title @param {unknown} body */
function dialog(gallery, title, body) {
  return html`<dialog class="dialog" part="dialog" aria-label=${title} @cancel=${(/** @type {Event} */ event) => gallery.windows.onCancel(event)}>
    <header><h2>${title}</h2><button type="button" class="icon plain" aria-label="Close" @click=${() => gallery.windows.close()}>${icons.close}</button></header>
    ${body}</dialog>`;
}

/** @param {Gallery} gallery */
export function help(gallery) {
  return dialog(gallery, "Keys", html`<dl class="keys">${KEYS.map(([keys, does]) => html`<dt>${keys.map((key) => html`<kbd>${key}</kbd> `)}</dt><dd>${does}</dd>`)}</dl>
    <hr><h3>What the numbers mean</h3>
    <p class="note">Each score is a prediction of the mean opinion that people would give, from 0 to 5. CLIP compares the image with five sentences, such as
      “A photo of bad quality.” to “A photo of perfect quality.” for perception, and “A photo that badly matches” to “perfectly matches” the prompt for alignment.
      The closer the image is to the better sentences, the higher is its score. CLIP does this for the whole image, resized to a small size, and for crops of it in full size.
      The similarity of the prompt's words with the image is added. The sum is not limited, so a score can be slightly higher than 5.</p>
    <p class="note">Method: Xia et al., AI-Generated Image Quality Assessment Based on Task-Specific Prompt and Multi-Granularity Similarity.</p>`);
}

/** @param {Gallery} gallery */
export function urls(gallery) {
  return dialog(gallery, "Addresses of images", html`<form @submit=${(/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    gallery.windows.close();
    gallery.intake.addUrls(String(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get("urls") ?? ""));
  }}>
    <textarea name="urls" rows="7" aria-label="Addresses, one per line" placeholder="https://…" spellcheck="false" required autofocus></textarea>
    <p class="note">One per line. Your browser fetches each image shortly before it is scored. The server must allow this (CORS).</p>
    <div class="actions"><button class="primary">Add</button></div></form>`);
}

/** @param {Gallery} gallery */
export function model(gallery) {
  const { engine, windows: { cacheBytes } } = gallery;
  const info = engine.scorer?.info ?? null;
  return dialog(gallery, "Model and device", html`<div class="stack">
    ${info ? html`<p>${info.model}<br><span class="note">${info.device} · weights as ${info.dtype} · ${info.fromCache ? "from this browser's cache" : "downloaded"}${
      info.reason === null ? nothing : html`<br>WebGPU is not used: ${info.reason}`}</span></p>` : nothing}
    <fieldset class="segments"><legend>Device</legend>${(/** @type {const} */ ([["auto", "Best"], ["webgpu", "WebGPU"], ["cpu", "CPU"]])).map(([device, name]) => html`<label>
      <input type="radio" name="device" value=${device} .checked=${live(device === engine.wanted.device)} @change=${() => engine.configure({ device })}><span>${name}</span></label>`)}</fieldset>
    <hr><h3>Another model</h3>
    <form @submit=${(/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      gallery.setModel(String(new FormData(/** @type {HTMLFormElement} */ (event.currentTarget)).get("url")));
    }}><div class="row"><input type="url" name="url" placeholder="https://…/model.json" aria-label="Address of a model.json" required><button>Load</button></div></form>
    <div class="row">
      <label class="button">Folder with model.json<input type="file" webkitdirectory aria-label="Choose a folder with a model" @change=${(/** @type {Event} */ { target }) =>
        gallery.setModel([...(/** @type {HTMLInputElement} */ (target).files ?? [])])}></label>
      <button type="button" @click=${() => gallery.setModel(undefined)}>Built-in model</button>
    </div>
    <p class="note">A model in a folder needs no download. The page asks before it downloads more than 20 MB. Downloaded models are checked and kept in this browser.</p>
    <div class="row"><span class="note">Kept in this browser: ${cacheBytes === null ? "…" : `${megabytes(cacheBytes)} of models`}</span>
      <button type="button" ?disabled=${!cacheBytes} @click=${() => gallery.windows.deleteModels()}>Delete</button></div></div>`);
}

/** @param {Gallery} gallery @param {{ bytes: number, answer: (isWanted: boolean) => void }} question */
export function download(gallery, { bytes, answer }) {
  return html`<dialog class="dialog" part="dialog" aria-label="Download the model?" @cancel=${(/** @type {Event} */ event) => {
    event.preventDefault();
    answer(false);
  }}>
    <header><h2>Download ${megabytes(bytes)}?</h2></header>
    <div class="stack"><p>This is the size of the model. It is downloaded once, checked, and kept in this browser. You can delete it at any time. ${gallery.collection.items.length > 0 ? "The images wait for it." : ""}</p>
      <div class="actions"><button type="button" @click=${() => answer(false)}>Not now</button><button type="button" class="primary" autofocus @click=${() => answer(true)}>Download</button></div></div>
  </dialog>`;
}
