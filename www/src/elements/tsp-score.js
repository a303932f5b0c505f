// @ts-check
// tsp-score.js — the element <tsp-score>: an image and its two scores.

import { css, html, LitElement, nothing } from "lit";
import { isAbort, megabytes, messageOf, ScoreError } from "../common/errors.js";
import { camelCase } from "../engine/names.js";
import { sentence } from "../ui/format.js";
import { SharedScorer } from "./shared.js";

/**
 * @typedef {import("../engine/client.js").Scorer} Scorer
 * @typedef {import("../engine/protocol.js").Result} Result
 */

const TASKS = /** @type {const} */ ([["perception", "Looks"], ["alignment", "Shows its prompt"]]);

/**
 * An image and its two scores. Elements with the same model, device and files share one scorer.
 *
 * @element tsp-score
 * @attr {string} src - Address of the image
 * @attr {string} prompt - The text that the image was generated from; default: read from the image's metadata
 * @attr {string} alt - A description of the image for people who do not see it
 * @attr {string} model - Address of a model.json; default: `model/model.json` in the folder of the library
 * @attr {"auto" | "webgpu" | "cpu"} device - The device for scoring
 * @attr {number} crops - The number of crops of each task: 1, 5 or 15
 * @attr {string} files - Folder of the library's worker and wasm, if no bundler places them
 * @attr {string} result - A line of `trainer score --format jsonl`, which is shown instead of a new result
 * @fires {CustomEvent<Result>} tsp-score - The computed result
 * @fires {CustomEvent<{ code: string, message: string }>} tsp-error - An error
 * @csspart image - The image
 * @csspart scores - Both scores
 * @csspart score - One score: its label and its value
 * @csspart perception - Perception
 * @csspart alignment - Alignment
 * @csspart label - A score's name
 * @csspart value - A score's number
 * @csspart status - The state until there are scores
 * @csspart question - The question before a large download
 * @csspart error - The error
 * @csspart warning - The notes of the result
 */
export class TspScore extends LitElement {
  static properties = {
    src: {},
    prompt: {},
    alt: {},
    model: {},
    device: {},
    crops: { type: Number },
    files: {},
    scorer: { attribute: false },
    result: {},
    error: { state: true },
    question: { state: true },
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
    button { font: inherit; }
    [part~="warning"], [part~="status"] { opacity: .75; font-size: .86em; }
  `;

  /** @type {AbortController | null} */ #running = null;
  /** @type {IntersectionObserver | null} */ #observer = null;
  #isVisible = false;
  /** The value that this element gave to `result`. Another value was set from outside. @type {Result | null | undefined} */ #own = null;
  /** Whether a result was set from outside. */
  #isGiven = false;
  /** Whether `result` was set to null from outside, so that the image must be scored. */
  #isTakenBack = false;

  constructor() {
    super();
    /** @type {string | null} */ this.src = null;
    /** @type {string | null} */ this.prompt = null;
    /** @type {string | null} */ this.alt = null;
    /** @type {string | null} */ this.model = null;
    /** @type {import("../engine/protocol.js").DeviceChoice | null} */ this.device = null;
    /** @type {number | null} */ this.crops = null;
    /** @type {string | null} */ this.files = null;
    /** A scorer to use instead of the shared one, unless it is closed. @type {Scorer | null} */ this.scorer = null;
    /** undefined: the value from outside is wrong. @type {Result | null | undefined} */ this.result = null;
    /** @type {Error | null} */ this.error = null;
    /** The size in bytes of a download that waits for an answer. @type {number | null} */ this.question = null;
  }

  connectedCallback() {
    super.connectedCallback();
    this.#observer = new IntersectionObserver((entries) => {
      this.#isVisible = entries.at(-1)?.isIntersecting === true;
    });
    this.#observer.observe(this);
    if (this.hasUpdated && !this.result) this.#score(); // The element was moved while the image was scored.
  }

  disconnectedCallback() {
    super.disconnectedCallback();
    this.#observer?.disconnect();
    this.#running?.abort();
  }

  /** Also called on a server. @param {Map<PropertyKey, unknown>} changed */
  willUpdate(changed) {
    const given = this.result;
    if (!changed.has("result") || given === this.#own) return;
    this.#running?.abort();
    this.#isGiven = given !== null;
    this.#isTakenBack = !this.#isGiven;
    try {
      this.#show(given === null ? null : resultOf(given));
    } catch (error) {
      this.#show(undefined); // So that setting null is a change.
      this.error = /** @type {Error} */ (error);
    }
  }

  /** @param {Map<PropertyKey, unknown>} changed */
  updated(changed) {
    const isOther = ["src", "prompt", "model", "device", "crops", "files", "scorer"].some((name) => changed.has(name));
    if (!isOther && !this.#isTakenBack) return;
    this.#isTakenBack = false;
    this.#score();
  }

  /** @param {Result | null | undefined} result */
  #show(result) {
    this.#own = this.result = result;
    this.error = this.question = null;
  }

  async #score() {
    if (this.#isGiven) return;
    this.#running?.abort();
    const running = this.#running = new AbortController();
    const { signal } = running;
    this.#show(null);
    const { src } = this;
    if (!src) return;
    try {
      const result = await this.#scored(src, signal);
      if (signal.aborted) return;
      this.#show(result);
      this.#tell("tsp-score", result);
    } catch (error) {
      if (signal.aborted) return;
      this.question = null;
      this.error = error instanceof Error ? error : new Error(String(error));
      const code = error instanceof ScoreError ? error.code : isAbort(error) ? "aborted" : "image";
      this.#tell("tsp-error", { code, message: this.error.message });
    }
  }

  /**
   * @param {string} src
   * @param {AbortSignal} signal
   * @returns {Promise<Result>}
   */
  async #scored(src, signal) {
    const { scorer, prompt, model, device, crops, files } = this;
    const options = { signal, crops: crops ?? undefined, priority: () => (this.#isVisible ? 1 : 0) };
    if (scorer && !scorer.isClosed) return scorer.score(src, prompt, options);
    const shared = SharedScorer.of({ model, device, files });
    const ask = () => {
      this.question = shared.question;
    };
    shared.addEventListener("question", ask, { signal });
    ask();
    const loaded = await shared.loaded();
    this.question = null;
    signal.throwIfAborted();
    return loaded.score(src, prompt, options);
  }

  /** The answer applies to all elements that share the scorer. @param {boolean} isWanted */
  #answer(isWanted) {
    const { model, device, files } = this;
    SharedScorer.of({ model, device, files }).answer(isWanted);
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
        ${result ? this.#scores(result) : error ? this.#failure(error) : this.question !== null ? this.#question(this.question)
          : html`<p part="status" role="status">Scoring …</p>`}
      </figcaption>
    </figure>`;
  }

  /** @param {number} bytes */
  #question(bytes) {
    return html`<p part="question" role="status">To score, ${megabytes(bytes)} must be downloaded once.
      <button type="button" @click=${() => this.#answer(true)}>Download</button>
      <button type="button" @click=${() => this.#answer(false)}>Not now</button></p>`;
  }

  /** @param {Error} error */
  #failure(error) {
    if (!isAbort(error)) return html`<p part="error" role="alert">${sentence(error.message)}</p>`;
    return html`<p part="status" role="status">Not scored. <button type="button" @click=${() => this.#score()}>Score</button></p>`;
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

/**
 * Reads a line of `trainer score --format jsonl`, as JSON or as an object, with names in snake_case or camelCase.
 * @param {unknown} given
 * @returns {Result}
 */
function resultOf(given) {
  let row;
  try {
    row = camelCase(typeof given === "string" ? JSON.parse(given) : given);
  } catch (error) {
    throw new ScoreError("argument", `the result is not JSON: expected a line of \`trainer score --format jsonl\`; ${messageOf(error)}`);
  }
  if (typeof row?.error === "string") throw new ScoreError("image", row.error);
  if (typeof row?.perception?.score !== "number" && typeof row?.alignment?.score !== "number") {
    throw new ScoreError("argument", "the result has no score: expected a line of `trainer score --format jsonl`");
  }
  return { notes: [], ...row };
}
