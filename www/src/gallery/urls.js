// @ts-check
// urls.js — reads a list of addresses.

/** The number of wrong lines that a message lists. */
const LISTED_LINES = 5;

/**
 * Reads one address per line. Blank lines and lines that start with # are skipped, as in `text/uri-list`.
 * @param {string} text
 * @param {string} [base]  the base of relative addresses; without it, they are refused
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
  const listed = odd.slice(0, LISTED_LINES).join(", ") + (odd.length > LISTED_LINES ? ` and ${odd.length - LISTED_LINES} more` : "");
  const notices = odd.length ? [`expected the address of an image, starting with https://, found something else in ${listed}`] : [];
  if (urls.length + odd.length === 0) notices.push("the text has no address; expected one per line");
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
