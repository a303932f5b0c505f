// @ts-check
// element.js — <tsp-gallery src> without lit, model and worker: all that a published page needs.

import { Published } from "./show.js";

/** A server has no elements. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

export class TspPublishedGallery extends Base {
  static observedAttributes = ["src", "live"];

  /** Scores rows without a score, where the page's owner allows it by the attribute `live`. @type {((element: HTMLElement) => import("./show.js").ScoreRows) | null} */
  static scorer = null;

  /** Registers the element, unless the page has one of that name. On a server it does nothing. */
  static define() {
    if (typeof window !== "undefined" && !customElements.get("tsp-gallery")) customElements.define("tsp-gallery", TspPublishedGallery);
  }

  /** @type {Published | null} */ #published = null;
  #isWaiting = false;

  connectedCallback() {
    this.#load();
  }

  disconnectedCallback() {
    this.#published?.close();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.#load();
  }

  /** Address of what `trainer score` wrote: JSON lines or CSV. */
  get src() {
    return this.getAttribute("src");
  }

  set src(src) {
    if (src === null || src === undefined) this.removeAttribute("src");
    else this.setAttribute("src", src);
  }

  /** Whether visitors may score rows that have no score. */
  get live() {
    return this.hasAttribute("live");
  }

  set live(isLive) {
    this.toggleAttribute("live", Boolean(isLive));
  }

  /** Once, however many attributes change in a task. */
  #load() {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    queueMicrotask(() => {
      this.#isWaiting = false;
      this.#published?.close();
      const { src } = this;
      if (!this.isConnected || src === null) return;
      const { scorer } = TspPublishedGallery;
      this.#published = new Published(this.shadowRoot ?? this.attachShadow({ mode: "open" }));
      this.#published.load(src, this.live && scorer ? scorer(this) : null).catch((error) => {
        this.dispatchEvent(new CustomEvent("tsp-error", { detail: { code: error.code ?? "network", message: error.message }, bubbles: true, composed: true }));
      });
    });
  }
}
