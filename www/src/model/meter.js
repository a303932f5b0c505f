// @ts-check
// meter.js — how much of the model is there, how fast it comes, and how long the rest takes.

/** The speed is that of the last seconds: a download may change networks on its way. */
const WINDOW_MS = 5000;
/** Nobody reads a number that changes more often. */
const PAUSE_MS = 100;
/** So often it is told that nothing comes any more. */
const TICK_MS = 1000;
/** A speed measured over less is mostly the start of the connection. */
const FIRST_SPEED_MS = 500;

export class Meter {
  #total;
  #fromCache;
  #tell;
  #loaded = 0;
  #toldAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #again;
  /** Bytes at times, the last {@link WINDOW_MS} of them. @type {{ at: number, loaded: number }[]} */ #past = [];

  /**
   * @param {number} total
   * @param {boolean} fromCache  then nothing is downloaded, and a speed says nothing
   * @param {(event: import("../engine/protocol.js").ProgressEvent) => void} tell
   */
  constructor(total, fromCache, tell) {
    this.#total = total;
    this.#fromCache = fromCache;
    this.#tell = tell;
  }

  /** Bytes that needed no download. @param {number} bytes */
  skip(bytes) {
    this.#loaded += bytes;
    for (const past of this.#past) past.loaded += bytes;
    this.#report();
  }

  /** @param {number} bytes  fewer than none where a file begins anew */
  add(bytes) {
    this.#loaded += bytes;
    if (bytes < 0) this.#past = [];
    this.#report();
  }

  /** Nothing is told any more. */
  stop() {
    clearTimeout(this.#again);
  }

  #report() {
    const at = performance.now();
    this.#past.push({ at, loaded: this.#loaded });
    while (this.#past[0].at < at - WINDOW_MS) this.#past.shift();
    const isDone = this.#loaded >= this.#total;
    const early = this.#toldAt + PAUSE_MS - at;
    clearTimeout(this.#again);
    if (!isDone) this.#again = setTimeout(() => this.#report(), early > 0 ? early : TICK_MS);
    if (!isDone && early > 0) return;
    this.#toldAt = at;
    const [first] = this.#past;
    const isKnown = !this.#fromCache && at - first.at >= FIRST_SPEED_MS;
    const bytesPerSecond = isKnown ? (1000 * (this.#loaded - first.loaded)) / (at - first.at) : null;
    const left = this.#total - this.#loaded;
    const secondsLeft = isDone ? 0 : bytesPerSecond ? left / bytesPerSecond : null;
    this.#tell({ type: "progress", loaded: this.#loaded, total: this.#total, fromCache: this.#fromCache, bytesPerSecond, secondsLeft });
  }
}
