// data.mjs — for the tests of the gallery's data: a page with its modules as they are, a stand-in for the scorer, and a server.
//
// Needs Chromium (CHROMIUM, or the one on PATH) and www/node_modules; no build, no model.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openChromium, www } from "./served.mjs";

/** Modules as they are, with the one bare name that they import. */
const PAGE = `<!doctype html><script type="importmap">{ "imports": { "idb": "/node_modules/idb/build/index.js" } }</script>
<input type="file" id="folder" webkitdirectory><input type="file" id="files" multiple><div id="drop" style="height: 200px"></div>
<script type="module">
  import { Collection } from "/src/gallery/collection.js";
  import { Results } from "/src/gallery/results.js";
  import * as sources from "/src/gallery/sources.js";
  import { readTable } from "/src/gallery/prompts.js";
  import { Thumbnails } from "/src/gallery/thumbnails.js";
  import { StandIn, entry, until } from "/stand-in.mjs";
  const notices = [];
  Object.assign(window, { Collection, Results, sources, readTable, Thumbnails, StandIn, entry, until, notices });
  /** A gallery whose results are kept under this name. */
  window.gallery = async (options = {}) => {
    const scorer = new StandIn();
    const results = await Results.open({ name: "test", onNotice: (message) => notices.push(message), ...options });
    return { scorer, results, collection: new Collection({ scorer, results }) };
  };
  window.finished = (collection) => until(() => collection.progress.waiting === 0);
  window.listing = ({ entries, tables, notices }) => ({ paths: entries.map(({ path }) => path), sidecars: entries.map(({ sidecar }) => sidecar?.name ?? null), tables: tables.map(({ name }) => name), notices });
  const drop = document.getElementById("drop");
  drop.ondragover = (event) => event.preventDefault();
  drop.ondrop = (event) => { event.preventDefault(); window.dropped = sources.fromTransfer(event.dataTransfer); };
  window.isReady = true;
</script>`;

let server, browser, origin, elsewhere;

before(async () => {
  server = createServer(serve).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  origin = `http://127.0.0.1:${server.address().port}`;
  elsewhere = `http://localhost:${server.address().port}`; // The same server, but another origin.
  browser = await openChromium();
});

after(async () => {
  await browser?.close();
  server?.close();
});

/** A test on a page of its own, which must stay without errors; it gets the server's two origins. */
export function claim(name, body) {
  test(name, { timeout: 120_000 }, async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const seen = [];
    page.on("pageerror", (error) => seen.push(error.message));
    try {
      await open(page);
      await body(page, { origin, elsewhere });
    } finally {
      await context.close();
    }
    assert.deepEqual(seen, []);
  });
}

export async function open(page) {
  await page.goto(origin);
  await page.waitForFunction(() => window.isReady);
}

function serve(request, response) {
  const path = new URL(request.url, origin).pathname;
  if (path === "/") return response.setHeader("content-type", "text/html").end(PAGE);
  if (path === "/stand-in.mjs") return response.setHeader("content-type", "text/javascript").end(readFileSync(join(import.meta.dirname, "stand-in.mjs"), "utf8").replaceAll('"../../www/', '"/'));
  if (/^\/(src|node_modules\/idb)\/[\w/.-]+\.js$/.test(path)) return response.setHeader("content-type", "text/javascript").end(readFileSync(join(www, path)));
  if (path === "/shared.png") return response.setHeader("access-control-allow-origin", "*").end(path);
  if (path === "/image.png") return response.end(path);
  if (path === "/cut.png") {
    response.writeHead(200, { "content-length": 1000 });
    response.write("begun");
    return setTimeout(() => response.destroy(), 50);
  }
  return response.writeHead(404).end();
}
