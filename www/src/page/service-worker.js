// @ts-check
// service-worker.js — the page without a network. Each version has a cache of its own that is filled whole before the version
// takes over, and a page gets its files from one version: old and new never mix. Models are kept by model/cache.js.

/**
 * @typedef {Event & { waitUntil(done: Promise<unknown>): void }} ExtendableEvent
 * @typedef {ExtendableEvent & { request: Request, respondWith(response: Promise<Response>): void }} FetchEvent
 * @typedef {EventTarget & { skipWaiting(): Promise<void>, clients: { claim(): Promise<void> }, registration: { scope: string } }} Worker
 */
const worker = /** @type {Worker} */ (/** @type {unknown} */ (self));

/** The SHA-256 of each file by its path from the page; the build puts them in. @type {Record<string, string>} */
// @ts-ignore
const FILES = __FILES__;
const PREFIX = "tsp-mgs-page-";
const NAME = PREFIX + Object.values(FILES).map((hash) => hash.slice(0, 6)).join("");
/** Images to try, whatever the version. */
const SAMPLES = "tsp-mgs-samples";
/** Old pages' names for the page itself. */
const PAGE = "index.html";

worker.addEventListener("install", (event) => {
  // The wasm modules are megabytes each: the one in use is kept, on the page's word.
  /** @type {ExtendableEvent} */ (event).waitUntil(fill(Object.keys(FILES).filter((path) => !path.startsWith("wasm/"))));
});

worker.addEventListener("activate", (event) => /** @type {ExtendableEvent} */ (event).waitUntil((async () => {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith(PREFIX) && name !== NAME).map((name) => caches.delete(name)));
  await worker.clients.claim();
})()));

worker.addEventListener("message", (event) => {
  const { data } = /** @type {MessageEvent} */ (event);
  if (data.type === "take-over") worker.skipWaiting();
  if (data.type === "keep") {
    const files = Object.keys(FILES).filter((path) => path.startsWith(`wasm/${data.module}/`));
    // Without room the page works as before, with a network.
    /** @type {ExtendableEvent} */ (event).waitUntil(fill(files).catch(() => {}));
  }
});

worker.addEventListener("fetch", (event) => {
  const { request } = /** @type {FetchEvent} */ (event);
  const { scope } = worker.registration;
  const url = new URL(request.url);
  if (request.method !== "GET" || !(url.origin + url.pathname).startsWith(scope)) return;
  const path = (url.origin + url.pathname).slice(scope.length) || PAGE;
  if (path in FILES) /** @type {FetchEvent} */ (event).respondWith(kept(request, path));
  else if (path.startsWith("samples/")) /** @type {FetchEvent} */ (event).respondWith(fresh(request));
});

/** @param {Request} request @param {string} path */
async function kept(request, path) {
  const cache = await caches.open(NAME);
  return (await cache.match(path)) ?? fetch(request);
}

/** From the network, or as it was the last time. @param {Request} request */
async function fresh(request) {
  const cache = await caches.open(SAMPLES);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const old = await cache.match(request);
    if (old) return old;
    throw error;
  }
}

/** Takes files of this version only: a server in the middle of an update has others. @param {string[]} paths */
async function fill(paths) {
  const cache = await caches.open(NAME);
  await Promise.all(paths.map(async (path) => {
    if (await cache.match(path)) return;
    const response = await fetch(path, { cache: "no-cache" });
    const bytes = await response.arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    if (hash.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "") !== FILES[path]) throw new Error(`${path} is of another version`);
    // A copy, since hosts that redirect `index.html` to `/` would have it refused: no page may come from a redirected answer.
    await cache.put(path, new Response(bytes, { headers: response.headers }));
  }));
}
