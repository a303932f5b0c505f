// @ts-check
// meter.js — the progress of a download: bytes, speed and remaining time.

/**
 * @typedef {{ type: "progress", loaded: number, total: number, fromCache: boolean, bytesPerSecond: number | null, secondsLeft: number | null }} ProgressEvent
 *   bytes of the model; null: not known yet
 */

/** The speed is that of the last seconds, because it can change during a download. */
const WINDOW_MS = 5000;
/** The shortest time between two reports. */
const PAUSE_MS = 100;
/** The time between two reports while nothing is received. */
const TICK_MS = 1000;
/** The shortest time over which a speed is measured. Shorter ones measure the start of the connection. */
const FIRST_SPEED_MS = 500;

export class Meter {
  #total;
  #fromCache;
  #tell;
  #loaded = 0;
  #toldAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #again;
  /** Numbers of bytes in the last {@link WINDOW_MS}. @type {{ at: number, loaded: number }[]} */ #past = [];

  /**
   * @param {number} total
   * @param {boolean} fromCache  whether nothing is downloaded; then no speed is reported
   * @param {(event: ProgressEvent) => void} tell
   */
  constructor(total, fromCache, tell) {
    this.#total = total;
    this.#fromCache = fromCache;
    this.#tell = tell;
  }

  /** Counts bytes that need no download. @param {number} bytes */
  skip(bytes) {
    this.#loaded += bytes;
    for (const past of this.#past) past.loaded += bytes;
    this.#report();
  }

  /** @param {number} bytes  negative if a file starts again */
  add(bytes) {
    this.#loaded += bytes;
    if (bytes < 0) this.#past = [];
    this.#report();
  }

  /** Ends the reports. */
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
