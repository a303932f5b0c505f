// @ts-check
// tsp-score.js — <tsp-score src prompt>: one image and its two scores.
//
// Attributes: src, prompt, alt; model, device, crops as for createScorer. Elements with the same three share one scorer.
// Property: scorer, to bring one's own. result, error: what came.
// Events (they bubble): tsp-score with the result, tsp-error with { code, message }.
// Parts: image, scores, score, perception, alignment, label, value, status, error, warning.

import { css, html, LitElement, nothing } from "lit";
import { ScoreError } from "../engine/errors.js";
import { createScorer } from "../engine/client.js";
import { sentence } from "../ui/format.js";

/**
 * @typedef {import("../engine/client.js").Scorer} Scorer
 * @typedef {import("../engine/protocol.js").Result} Result
 */

/** By their settings. @type {Map<string, Promise<Scorer>>} */
const scorers = new Map();

const TASKS = /** @type {const} */ ([["perception", "Looks"], ["alignment", "Shows its prompt"]]);

export class TspScore extends LitElement {
  static properties = {
    src: {},
    prompt: {},
    alt: {},
    model: {},
    device: {},
    crops: { type: Number },
    scorer: { attribute: false },
    result: { state: true },
    error: { state: true },
  };

  static styles = css`
    :host { display: inline-block; max-width: 100%; font: 14px/1.4 system-ui, sans-serif; }
    :host([hidden]) { display: none; }
    figure { margin: 0; }
    img { display: block; max-width: 100%; height: auto; border-radius: 6px; }
    dl { display: flex; gap: 1.2em; margin: .5em 0 0; }
    dt { opacity: .75; font-size: .86em; }
    dd { margin: 0; font-size: 1.4em; font-variant-numeric: tabular-nums; }
    p { margin: .5em 0 0; max-width: 60ch; }
    [part~="warning"], [part~="status"] { opacity: .75; font-size: .86em; }
  `;

  /** @type {AbortController | null} */ #running = null;
  /** @type {IntersectionObserver | null} */ #observer = null;
  #isVisible = false;

  constructor() {
    super();
    /** Address of the image. @type {string | null} */ this.src = null;
    /** The text it was made from; without one the image's metadata is read. @type {string | null} */ this.prompt = null;
    /** What the image shows, for those who do not see it. @type {string | null} */ this.alt = null;
    /** @type {string | null} */ this.model = null;
    /** @type {import("../engine/protocol.js").DeviceChoice | null} */ this.device = null;
    /** @type {number | null} */ this.crops = null;
    /** @type {Scorer | null} */ this.scorer = null;
    /** @type {Result | null} */ this.result = null;
    /** @type {ScoreError | null} */ this.error = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#observer = new IntersectionObserver((entries) => {
      this.#isVisible = entries.at(-1)?.isIntersecting === true;
    });
    this.#observer.observe(this);
    if (this.hasUpdated && !this.result) this.#score(); // It was moved while it was being scored.
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#observer?.disconnect();
    this.#running?.abort();
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    if (["src", "prompt", "model", "device", "crops", "scorer"].some((name) => changed.has(name))) this.#score();
  }

  async #score() {
    this.#running?.abort();
    const running = this.#running = new AbortController();
    this.result = this.error = null;
    if (!this.src) return;
    try {
      const scorer = this.scorer ?? (await this.#shared());
      if (running.signal.aborted) return;
      const result = await scorer.score(this.src, this.prompt, { signal: running.signal, priority: () => (this.#isVisible ? 1 : 0) });
      if (running.signal.aborted) return;
      this.result = result;
      this.#tell("tsp-score", result);
    } catch (error) {
      if (running.signal.aborted) return;
      this.error = error instanceof ScoreError ? error : new ScoreError("image", String(error));
      this.#tell("tsp-error", { code: this.error.code, message: this.error.message });
    }
  }

  /** The page's scorer with these settings. One that failed is forgotten, so that the next element tries again. */
  #shared() {
    const { model, device, crops } = this;
    const key = JSON.stringify([model, device, crops]);
    const known = scorers.get(key);
    if (known) return known;
    const made = createScorer({
      model: model ?? undefined,
      device: device ?? undefined,
      crops: crops ?? undefined,
      onEvent: (event) => {
        if (event.type === "state" && event.state === "failed") scorers.delete(key);
      },
    });
    scorers.set(key, made);
    made.catch(() => scorers.delete(key));
    return made;
  }

  /**
   * @param {string} type
   * @param {unknown} detail
   */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail, bubbles: true, composed: true }));
  }

  render() {
    const { src, alt, prompt, result, error } = this;
    if (!src) return nothing;
    return html`<figure aria-busy=${!result && !error}>
      <img part="image" src=${src} alt=${alt ?? prompt ?? ""}>
      <figcaption>
        ${result ? this.#scores(result) : error
          ? html`<p part="error" role="alert">${sentence(error.message)}</p>`
          : html`<p part="status" role="status">Scoring …</p>`}
      </figcaption>
    </figure>`;
  }

  /** @param {Result} result */
  #scores(result) {
    return html`<dl part="scores">${TASKS.map(([name, label]) => html`<div part="score ${name}">
        <dt part="label">${label}</dt>
        <dd part="value">${result[name]?.score.toFixed(2) ?? "–"}</dd>
      </div>`)}</dl>
      ${result.notes.length ? html`<p part="warning">${result.notes.map(sentence).join(" ")}</p>` : nothing}`;
  }
}

