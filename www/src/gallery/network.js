// @ts-check
// network.js — images by address: reading a list of them, fetching one.

/** An image that has not come by then keeps others waiting. */
const PATIENCE_MS = 60_000;
/** So many lines that are no address are told one by one. */
const TOLD_LINES = 5;

/**
 * One address a line; blank lines and, as in `text/uri-list`, lines with a leading # are passed over.
 * @param {string} text
 * @param {string} [base]  of relative addresses; without one they are refused
 */
export function urlsIn(text, base) {
  /** @type {URL[]} */
  const urls = [];
  /** @type {string[]} */
  const odd = [];
  text.split(/\r?\n/).forEach((line, index) => {
    const address = line.trim();
    if (address === "" || address.startsWith("#")) return;
    const url = parsed(address, base);
    if (url && /^(https?:|data:image\/|blob:)/.test(url.href)) urls.push(url);
    else odd.push(`line ${index + 1} (${JSON.stringify(address.slice(0, 60))})`);
  });
  const told = odd.slice(0, TOLD_LINES).join(", ") + (odd.length > TOLD_LINES ? ` and ${odd.length - TOLD_LINES} more` : "");
  const notices = odd.length ? [`expected the address of an image, starting with https://, found something else in ${told}`] : [];
  if (urls.length + odd.length === 0) notices.push("there is no address in it; expected one a line");
  return { urls, notices };
}

/**
 * @param {string} address
 * @param {string} [base]
 */
function parsed(address, base) {
  try {
    return new URL(address, base);
  } catch {
    return null;
  }
}

/**
 * @param {URL} url
 * @param {AbortSignal} [signal]
 * @returns {Promise<Blob>}  rejects with a sentence
 */
export async function fetchImage(url, signal) {
  const stop = new AbortController();
  const abort = () => stop.abort();
  if (signal?.aborted) abort();
  signal?.addEventListener("abort", abort);
  const late = setTimeout(abort, PATIENCE_MS);
  try {
    return await fetched(url, stop.signal);
  } catch (error) {
    if (signal?.aborted || !stop.signal.aborted) throw error;
    throw new Error(`the image could not be fetched: ${url.host} has not sent it within ${PATIENCE_MS / 1000} s; try again`);
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", abort);
  }
}

/**
 * @param {URL} url
 * @param {AbortSignal} signal
 */
async function fetched(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error(`the image could not be fetched: either ${url.host || "its source"} does not let other pages read its images (CORS), or the network is down; ` +
      "save the image and drop the file here");
  }
  if (!answer.ok) throw new Error(`the image could not be fetched: ${url.host} answers ${answer.status}${answer.statusText ? ` ${answer.statusText}` : ""}; check the address`);
  try {
    return await answer.blob();
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Error(`the image could not be fetched: the connection to ${url.host} was cut; try again`);
  }
}
