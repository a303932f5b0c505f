// @ts-check
// engine.js — the scorer of the gallery: loads it, asks before a large download, and holds its state for the page.

import { createScorer } from "../engine/client.js";
import { isAbort } from "../common/errors.js";

/**
 * @typedef {import("./gallery-element.js").GalleryElement} Gallery
 * @typedef {import("../engine/protocol.js").DeviceChoice} DeviceChoice
 * @typedef {import("../engine/protocol.js").ModelSource} ModelSource
 * @typedef {import("../engine/protocol.js").ProgressEvent} ProgressEvent
 * @typedef {Awaited<ReturnType<typeof createScorer>>} Scorer
 */

export class Engine {
  /** @type {Scorer | null} */ scorer = null;
  /** @type {"idle" | "loading" | "ready" | "recovering" | "failed" | "stopped"} */ state = "idle";
  /** A message about the state. */
  message = "";
  /** @type {ProgressEvent | null} */ progress = null;
  /** A download that waits for an answer. @type {{ bytes: number, answer: (isWanted: boolean) => void } | null} */ question = null;
  /** The chosen settings, also for a restart. @type {{ model: ModelSource | undefined, device: DeviceChoice, crops: number | undefined, files: string | undefined }} */
  wanted = { model: undefined, device: "auto", crops: undefined, files: undefined };
  /** @type {AbortController | null} */ #loading = null;
  /** @type {Gallery} */ #gallery;

  /** @param {Gallery} gallery */
  constructor(gallery) {
    this.#gallery = gallery;
  }

  /** Loads the chosen model on the chosen device. Shards that are complete are not downloaded again. */
  async load() {
    this.#loading?.abort();
    this.#close();
    const loading = (this.#loading = new AbortController());
    this.#set("loading", "Starting …");
    try {
      const scorer = await createScorer({
        ...this.wanted,
        signal: loading.signal,
        confirmDownload: (bytes) => this.#ask(bytes, loading.signal),
        onEvent: (event) => {
          if (loading === this.#loading) this.#hear(event);
        },
      });
      if (loading !== this.#loading) return scorer.close();
      this.scorer = scorer;
      this.#set("ready", "");
      this.#gallery.collection.attach(scorer);
      this.#gallery.tell("tsp-ready", scorer.info);
    } catch (error) {
      if (loading !== this.#loading) return;
      const { code = "device", message } = /** @type {Error & { code?: string }} */ (error);
      if (isAbort(error)) this.#set("stopped", "The model is not loaded. The images wait for it.");
      else {
        this.#set("failed", message);
        this.#gallery.tell("tsp-error", { code, message });
      }
    }
  }

  /** Stops a download. `load` resumes it. */
  cancel() {
    this.#loading?.abort();
  }

  /** Changes the device or the number of crops. @param {{ device?: DeviceChoice, crops?: number }} options */
  async configure(options) {
    Object.assign(this.wanted, options);
    const { scorer } = this;
    if (!scorer) return this.load();
    this.#set("loading", "Changing how images are scored …");
    try {
      await scorer.configure(options);
      if (scorer !== this.scorer) return;
      this.#set("ready", "");
    } catch (error) {
      if (scorer === this.scorer) this.#set("failed", /** @type {Error} */ (error).message);
    }
  }

  /** Closes the scorer. The images wait. */
  close() {
    this.#loading?.abort();
    this.#loading = null;
    this.#close();
  }

  #close() {
    if (!this.scorer) return;
    this.#gallery.collection.detach();
    this.scorer.close();
    this.scorer = null;
  }

  /** @param {import("../engine/protocol.js").ScorerEvent} event */
  #hear(event) {
    if (event.type === "progress") this.progress = event;
    else if (event.type === "notice") this.#gallery.notify(event.message);
    else if (event.type === "state") {
      this.#set(event.state, event.message);
      // A notice stays until the user dismisses it.
      if (event.state === "recovering") this.#gallery.notify(event.message);
      if (event.state === "ready" && this.scorer) this.#gallery.tell("tsp-ready", this.scorer.info);
    }
    this.#gallery.requestUpdate();
  }

  /**
   * @param {Engine["state"]} state
   * @param {string} message
   */
  #set(state, message) {
    this.state = state;
    this.message = message;
    if (state !== "loading") this.progress = null;
    this.#gallery.requestUpdate();
  }

  /**
   * @param {number} bytes
   * @param {AbortSignal} signal
   * @returns {Promise<boolean>}
   */
  #ask(bytes, signal) {
    return new Promise((resolve) => {
      const answer = (/** @type {boolean} */ isWanted) => {
        this.question = null;
        this.#gallery.requestUpdate();
        resolve(isWanted);
      };
      signal.addEventListener("abort", () => answer(false), { once: true });
      this.question = { bytes, answer };
      this.#gallery.requestUpdate();
    });
  }
}
