// @ts-check
// download.js — one file over an unreliable network: a cut connection goes on where it broke.

import { megabytes, messageOf, reasonOf, ScoreError } from "../engine/errors.js";

/** Waits before the second to the last try. Enough for a router that starts anew, not for a person to give up. */
const WAITS_MS = [500, 1000, 2000, 4000];
/** A connection without a byte for so long is taken for dead. */
const SILENCE_MS = 30_000;
/** Larger files are no images; reading one would cost the page its memory. */
export const MAX_IMAGE_BYTES = 512e6;
/** A `data:` address holds a whole file, and no message should. */
const TOLD_CHARACTERS = 200;

/** It may work the next time. */
class Passing extends Error {}

/**
 * Downloads a file of known size.
 * @param {string} url
 * @param {number} size
 * @param {(bytes: number) => void} report  how many bytes are there; fewer than before when the server starts from the beginning
 * @param {AbortSignal} [signal]
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function download(url, size, report, signal) {
  const bytes = new Uint8Array(size);
  let have = 0;
  let farthest = 0;
  let mayResume = true;
  for (let tries = 0; ; tries += 1) {
    try {
      // Cross-origin servers may refuse the Range header itself; the try after that does without.
      /** @type {number} */
      const from = mayResume ? have : 0;
      mayResume = from === 0;
      const { response, silence } = await request(url, { from, signal });
      mayResume = true;
      have = response.status === 206 ? startOf(response, from) : 0;
      report(have);
      for await (const chunk of chunksOf(response, silence)) {
        if (have + chunk.length > size) throw new ScoreError("model", `${url} is longer than the ${size} bytes that model.json tells: export or upload the model again`);
        bytes.set(chunk, have);
        have += chunk.length;
        report(have);
      }
      if (have === size) return bytes;
      throw new Passing("the connection was cut");
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Passing)) throw error;
      // Whoever gets farther is not failing, only slow.
      if (have > farthest) tries = 0;
      farthest = Math.max(farthest, have);
      if (tries === WAITS_MS.length) {
        throw new ScoreError("network", `could not download ${told(url)}, of which ${megabytes(have)} of ${megabytes(size)} came: ${error.message}; check the connection and try again`);
      }
      await delay(WAITS_MS[tries]);
    }
  }
}

/**
 * Downloads a small file of unknown size.
 * @param {string} url
 * @param {{ tries?: number }} options
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function downloadSmall(url, { tries = WAITS_MS.length + 1 } = {}) {
  for (let again = 1; ; again += 1) {
    try {
      return new Uint8Array(await (await whole(url, {})).arrayBuffer());
    } catch (error) {
      if (!(error instanceof Passing) || again >= tries) throw lasting(url, error);
      await delay(WAITS_MS[again - 1]);
    }
  }
}

/**
 * Downloads an image. It is tried once: a person sees what failed, and tries again.
 * @param {string} url
 * @param {{ signal?: AbortSignal, cache?: RequestCache }} options
 * @returns {Promise<Blob>}
 */
export async function downloadImage(url, { signal, cache = "default" }) {
  try {
    return await whole(url, { signal, cache });
  } catch (error) {
    if (signal?.aborted) throw reasonOf(signal);
    throw lasting(url, error);
  }
}

/** @param {string} url @param {unknown} error */
function lasting(url, error) {
  return error instanceof Passing ? new ScoreError("network", `could not download ${told(url)}: ${error.message}`) : error;
}

/** @param {string} url */
function told(url) {
  return url.length > TOLD_CHARACTERS ? `${url.slice(0, TOLD_CHARACTERS)}…` : url;
}

/**
 * @param {string} url
 * @param {{ signal?: AbortSignal, cache?: RequestCache }} options
 */
async function whole(url, options) {
  const { response, silence } = await request(url, options);
  const parts = [];
  let size = 0;
  for await (const chunk of chunksOf(response, silence)) {
    parts.push(chunk);
    size += chunk.length;
    if (size > MAX_IMAGE_BYTES) throw new ScoreError("image", `${told(url)} is longer than ${megabytes(MAX_IMAGE_BYTES)}: no image`);
  }
  return new Blob(parts, { type: response.headers.get("content-type") ?? "" });
}

/**
 * @param {string} url
 * @param {{ from?: number, signal?: AbortSignal, cache?: RequestCache }} options
 */
async function request(url, { from = 0, signal, cache = "no-store" }) {
  const silence = new Silence(signal);
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, {
      // Weights are kept by hash in our own cache: the browser's would hold them twice, or half.
      cache,
      headers: from > 0 ? { range: `bytes=${from}-` } : {},
      signal: silence.signal,
    });
  } catch {
    silence.end();
    throw new Passing(silence.isTooLong ? silence.text : whyNoAnswer(url));
  }
  if (response.ok) return { response, silence };
  silence.end();
  const said = `the server answered ${response.status} ${response.statusText}`.trim();
  // A busy or a failing server may recover, and so may one that dislikes the range; a file that is not there stays away.
  if (response.status >= 500 || [408, 416, 429].includes(response.status)) throw new Passing(said);
  throw new ScoreError("network", `could not download ${told(url)}: ${said}; check the address`);
}

/** Browsers do not tell a script which of these it was. @param {string} url */
function whyNoAnswer(url) {
  const { protocol, origin } = new URL(url);
  if (protocol === "blob:") return "the address is no longer valid, or the page's Content-Security-Policy lacks connect-src blob:; choose the file again";
  if (origin === self.location.origin || origin === "null") return "the network or the server is down; check the connection and try again";
  return `the network is down, or ${new URL(url).host} does not allow other sites to read its files (CORS); check the connection, or download the file and choose it from your disk`;
}

/**
 * @param {Response} response
 * @param {Silence} silence
 */
async function* chunksOf(response, silence) {
  const reader = response.body?.getReader();
  try {
    while (reader) {
      silence.begin();
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } catch (error) {
    throw new Passing(silence.isTooLong ? silence.text : `the connection was cut (${messageOf(error)})`);
  } finally {
    silence.end();
    reader?.cancel().catch(() => {}); // Who stops reading early wants no more of it.
  }
}

/** Where a partial answer begins. @param {Response} response @param {number} asked */
function startOf(response, asked) {
  const said = response.headers.get("content-range");
  const start = Number(said?.match(/^bytes (\d+)-/)?.[1] ?? asked); // Other origins may hide the header.
  if (start > asked) throw new Passing(`the server skipped bytes: asked from ${asked}, answered ${said}`);
  return start;
}

/** Ends a request that hears nothing for too long, or that nobody wants any more. */
class Silence {
  #controller = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;
  #outer;
  isTooLong = false;
  text = `the server has sent nothing for ${SILENCE_MS / 1000} s; check the connection and try again`;

  /** @param {AbortSignal} [outer] */
  constructor(outer) {
    this.#outer = outer;
    if (outer?.aborted) this.#abort();
    outer?.addEventListener("abort", this.#abort);
    this.begin();
  }

  get signal() {
    return this.#controller.signal;
  }

  begin() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.isTooLong = true;
      this.#controller.abort();
    }, SILENCE_MS);
  }

  end() {
    clearTimeout(this.#timer);
    this.#outer?.removeEventListener("abort", this.#abort);
  }

  #abort = () => this.#controller.abort();
}

/** @param {number} ms */
function delay(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
