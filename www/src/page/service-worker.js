// @ts-check
// service-worker.js — makes the page work without a network. Each version has its own cache, which is complete before the version
// takes over, so that a page gets all its files from one version. model/cache.js keeps the models.

/**
 * @typedef {Event & { waitUntil(done: Promise<unknown>): void }} ExtendableEvent
 * @typedef {ExtendableEvent & { request: Request, respondWith(response: Promise<Response>): void }} FetchEvent
 * @typedef {EventTarget & { skipWaiting(): Promise<void>, clients: { claim(): Promise<void> }, registration: { scope: string } }} Worker
 */
const worker = /** @type {Worker} */ (/** @type {unknown} */ (self));

/** The SHA-256 of each file by its path, as the build inserts them. @type {Record<string, string>} */
// @ts-ignore
const FILES = __FILES__;
const PREFIX = "tsp-mgs-page-";
const NAME = PREFIX + Object.values(FILES).map((hash) => hash.slice(0, 6)).join("");
/** The samples, for all versions. */
const SAMPLES = "tsp-mgs-samples";
/** The file of the page itself. */
const PAGE = "index.html";

worker.addEventListener("install", (event) => {
  // The wasm modules are large. Only the one in use is kept, which the page names by a message.
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
    // If the storage is full, the page still works with a network.
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

/** Fetches a sample. Without a network, returns the cached one. @param {Request} request */
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

/** Fetches files into the cache. Refuses those of another version, as a server can send during an update. @param {string[]} paths */
async function fill(paths) {
  const cache = await caches.open(NAME);
  await Promise.all(paths.map(async (path) => {
    if (await cache.match(path)) return;
    const response = await fetch(path, { cache: "no-cache" });
    const bytes = await response.arrayBuffer();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    if (hash.reduce((text, byte) => text + byte.toString(16).padStart(2, "0"), "") !== FILES[path]) throw new Error(`${path} belongs to another version`);
    // A copy, because browsers refuse redirected responses for pages, and some hosts redirect `index.html` to `/`.
    await cache.put(path, new Response(bytes, { headers: response.headers }));
  }));
}
