// @ts-check
// urls.js — reads a list of addresses of images.

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
