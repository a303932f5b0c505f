// @ts-check
// shared.js — a scorer that all elements of a page with the same settings share, and its question before a large download.

import { createScorer } from "../engine/client.js";

/**
 * @typedef {import("../engine/client.js").Scorer} Scorer
 *
 * @typedef {object} Settings
 * @property {string | null} model
 * @property {import("../engine/protocol.js").DeviceChoice | null} device
 * @property {string | null} files
 */

/** Sends the event "question" when {@link SharedScorer.question} changes. */
export class SharedScorer extends EventTarget {
  /** All shared scorers, by settings. @type {Map<string, SharedScorer>} */ static #known = new Map();
  /** The size in bytes of a download that waits for an answer. @type {number | null} */ question = null;
  /** @type {(isWanted: boolean) => void} */ #answer = () => {};
  /** @type {Promise<Scorer> | null} */ #loading = null;
  /** @type {Scorer | null} */ #scorer = null;
  #settings;

  /** @param {Settings} settings */
  static of(settings) {
    const { model, device, files } = settings;
    const key = JSON.stringify([model, device, files]);
    const known = this.#known.get(key) ?? new SharedScorer(settings);
    this.#known.set(key, known);
    return known;
  }

  /** @param {Settings} settings */
  constructor(settings) {
    super();
    this.#settings = settings;
  }

  /** The scorer. A new one is created if the last one was closed, failed, or its download was declined. @returns {Promise<Scorer>} */
  loaded() {
    if (this.#scorer?.isClosed) this.#forget();
    if (this.#loading) return this.#loading;
    const { model, device, files } = this.#settings;
    const loading = this.#loading = createScorer({
      model: model ?? undefined,
      device: device ?? undefined,
      files: files ?? undefined,
      confirmDownload: (bytes) => this.#ask(bytes),
      onEvent: (event) => {
        if (event.type === "state" && event.state === "failed" && loading === this.#loading) this.#forget();
      },
    });
    loading.then((scorer) => {
      this.#scorer = scorer;
    }, () => {
      if (loading === this.#loading) this.#forget();
    });
    return loading;
  }

  /** Starts or declines the download. @param {boolean} isWanted */
  answer(isWanted) {
    this.#setQuestion(null);
    this.#answer(isWanted);
  }

  #forget() {
    this.#loading = this.#scorer = null;
  }

  /** @param {number} bytes @returns {Promise<boolean>} */
  #ask(bytes) {
    return new Promise((resolve) => {
      this.#answer = resolve;
      this.#setQuestion(bytes);
    });
  }

  /** @param {number | null} bytes */
  #setQuestion(bytes) {
    this.question = bytes;
    this.dispatchEvent(new Event("question"));
  }
}
