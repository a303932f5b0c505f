// @ts-check
// frame.js — collects changes and reports them once per frame of the screen.

/** The time between two reports without frames, as in a tab in the background. */
const PATIENCE_MS = 100;

export class Frame {
  /** @type {Set<number>} */ #ids = new Set();
  #isViewNew = false;
  #isAsked = false;
  #isClosed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #stop = () => {};
  #tell;

  /** @param {(ids: number[], isViewNew: boolean) => void} tell  called with the changed items, and whether their order changed */
  constructor(tell) {
    this.#tell = tell;
  }

  /** @param {number} id */
  touch(id) {
    this.#ids.add(id);
    this.ask();
  }

  touchView() {
    this.#isViewNew = true;
    this.ask();
  }

  /** Reports in the next frame, even if no item changed. */
  ask() {
    if (this.#isAsked || this.#isClosed) return;
    this.#isAsked = true;
    const flush = () => this.#flush();
    const timer = setTimeout(flush, PATIENCE_MS);
    const frame = globalThis.requestAnimationFrame?.(flush);
    // A tab in the background gets no frames, so the requests would accumulate.
    this.#stop = () => {
      clearTimeout(timer);
      globalThis.cancelAnimationFrame?.(frame);
    };
  }

  #flush() {
    this.#stop();
    this.#isAsked = false;
    const [ids, isViewNew] = [[...this.#ids], this.#isViewNew];
    this.#ids.clear();
    this.#isViewNew = false;
    this.#tell(ids, isViewNew);
  }

  /** Calls `work` after a time. Calls in the meantime have no effect. @param {number} wait_ms @param {() => void} work */
  later(wait_ms, work) {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      work();
    }, Math.max(0, wait_ms));
  }

  close() {
    this.#isClosed = true;
    this.#stop();
    clearTimeout(this.#timer);
  }
}
