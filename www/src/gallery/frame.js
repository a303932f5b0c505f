// @ts-check
// frame.js — gathers what changes between two frames of the screen, so that a page draws once for a thousand changes.

/** Without frames, as in a tab in the background, it is told this often. */
const PATIENCE_MS = 100;

export class Frame {
  /** @type {Set<number>} */ #ids = new Set();
  #isViewNew = false;
  #isAsked = false;
  #isClosed = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #stop = () => {};
  #tell;

  /** @param {(ids: number[], isViewNew: boolean) => void} tell  items that changed; whether their order did */
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

  /** Tells in the next frame, even if no item changed. */
  ask() {
    if (this.#isAsked || this.#isClosed) return;
    this.#isAsked = true;
    const flush = () => this.#flush();
    const timer = setTimeout(flush, PATIENCE_MS);
    const frame = globalThis.requestAnimationFrame?.(flush);
    // Of a tab in the background no frame comes for hours: those that were asked for would pile up.
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

  /** Once, however often it is asked for until then. @param {number} wait_ms @param {() => void} work */
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
