// @ts-check
// download.js — downloads a file over an unreliable network. A broken download resumes where it ended.

import { megabytes, messageOf, reasonOf, ScoreError } from "../common/errors.js";

/** The waits before the second and all further tries. They are enough for a router that restarts. */
const WAITS_MS = [500, 1000, 2000, 4000];
/** A connection that sends nothing for this time is closed. */
const SILENCE_MS = 30_000;
/** Larger files are refused, because they would fill the memory of the page. */
export const MAX_IMAGE_BYTES = 512e6;
/** Longer addresses are cut in messages: a `data:` address holds a whole file. */
const SHOWN_CHARACTERS = 200;

/** An error after which another try can succeed. */
class Passing extends Error {}

/**
 * Downloads a file of known size.
 * @param {string} url
 * @param {number} size
 * @param {(bytes: number) => void} report  called with the number of received bytes; it falls if the server starts from the beginning
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
      // Servers of other origins may refuse the Range header. The try after that has no such header.
      /** @type {number} */
      const from = mayResume ? have : 0;
      mayResume = from === 0;
      const { response, silence } = await request(url, { from, signal });
      mayResume = true;
      have = response.status === 206 ? startOf(response, from) : 0;
      report(have);
      for await (const chunk of chunksOf(response, silence)) {
        if (have + chunk.length > size) throw new ScoreError("model", `${url} is longer than the ${size} bytes that model.json lists: export or upload the model again`);
        bytes.set(chunk, have);
        have += chunk.length;
        report(have);
      }
      if (have === size) return bytes;
      throw new Passing("the connection was cut");
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof Passing)) throw error;
      // Only tries that bring nothing count.
      if (have > farthest) tries = 0;
      farthest = Math.max(farthest, have);
      if (tries === WAITS_MS.length) {
        throw new ScoreError("network", `could not download ${shortened(url)}, of which ${megabytes(have)} of ${megabytes(size)} came: ${error.message}; check the connection and try again`);
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
 * Downloads an image. There is one try: the user sees the error and can try again.
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
  return error instanceof Passing ? new ScoreError("network", `could not download ${shortened(url)}: ${error.message}`) : error;
}

/** @param {string} url */
function shortened(url) {
  return url.length > SHOWN_CHARACTERS ? `${url.slice(0, SHOWN_CHARACTERS)}…` : url;
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
    if (size > MAX_IMAGE_BYTES) throw new ScoreError("image", `${shortened(url)} is longer than ${megabytes(MAX_IMAGE_BYTES)}, so it is not read as an image`);
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
      // Weights are in our own cache. The browser's cache would hold them a second time.
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
  // These can succeed at another try: busy and failing servers, and 416 without the Range header.
  if (response.status >= 500 || [408, 416, 429].includes(response.status)) throw new Passing(said);
  throw new ScoreError("network", `could not download ${shortened(url)}: ${said}; check the address`);
}

/** Browsers do not tell scripts why a request failed. @param {string} url */
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
    reader?.cancel().catch(() => {});
  }
}

/** The offset at which a partial response starts. @param {Response} response @param {number} asked */
function startOf(response, asked) {
  const said = response.headers.get("content-range");
  const start = Number(said?.match(/^bytes (\d+)-/)?.[1] ?? asked); // Servers of other origins can hide the header.
  if (start > asked) throw new Passing(`the server skipped bytes: asked from ${asked}, answered ${said}`);
  return start;
}

/** Ends a request that receives nothing for {@link SILENCE_MS}, or that the caller aborts. */
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
