// model-faults.test.mjs — what can go wrong while a model loads, with network, server and disk, gets its own sentence or is mended.
// A local server cuts, corrupts, stalls and refuses.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before } from "node:test";
import { assertSame, claims, commandLine, dist, FAILED_REQUEST, IMPATIENT, inWorker, load, opening, rebuilt, sha256 } from "./served.mjs";

const SHARD = "weights-01.safetensors";

const opened = opening();
let shard;
const claim = claims(opened);

before(async () => {
  const { shards } = JSON.parse(readFileSync(join(dist, "model/model.json")));
  assert.deepEqual(shards.map(({ name }) => name), [SHARD], "these tests count the requests for the built-in model's one shard");
  shard = readFileSync(join(dist, "model", SHARD));
});

const cat = () => commandLine("cat.jpg", "a cat");
const ofType = (events, type) => events.filter((event) => event.type === type);
const shardsAsked = () => opened.served.asked.filter((path) => path.endsWith(".safetensors")).length;

/** Answers requests for the shard; `answer` gets the how many-eth it is and where it shall begin. */
function forShard(answer) {
  let times = 0;
  opened.served.answer = (request, response) => {
    if (!request.url.endsWith(SHARD)) return false;
    times += 1;
    const from = Number(request.headers.range?.match(/^bytes=(\d+)-$/)?.[1] ?? 0);
    answer({ times, from, response });
    return true;
  };
}

/** Sends a part of the shard, from a byte on, then cuts the connection unless that was the rest. */
async function send(response, from, to = shard.length, status = from > 0 ? 206 : 200) {
  response.writeHead(status, rangeFrom(from));
  await new Promise((resolve) => response.write(shard.subarray(from, to), resolve));
  if (to === shard.length) response.end();
  else response.destroy();
}

function rangeFrom(from) {
  const range = from > 0 ? { "content-range": `bytes ${from}-${shard.length - 1}/${shard.length}` } : {};
  return { "content-length": shard.length - from, ...range };
}

claim("a cut download goes on where it broke", async (page) => {
  const begins = [];
  let cut = () => {};
  forShard(({ times, from, response }) => {
    begins.push(from);
    if (times > 2) return send(response, from);
    response.writeHead(from > 0 ? 206 : 200, rangeFrom(from));
    let sent = from;
    const trickle = setInterval(() => response.write(shard.subarray(sent, (sent += 10_000))), 20);
    // Not before the page has read some of it: what waits in the browser is lost with the connection.
    cut = (heard) => {
      if (heard <= from) return;
      clearInterval(trickle);
      response.destroy();
    };
  });
  const forShardAlone = opened.served.answer;
  opened.served.answer = (request, response) => {
    const [, heard] = request.url.match(/^\/heard\/(\d+)$/) ?? [];
    if (heard) cut(Number(heard));
    return forShardAlone(request, response);
  };
  const { results, events } = await load(page);
  assertSame(results[0], cat());
  assert.equal(begins.length, 3);
  assert.equal(begins[0], 0);
  assert.ok(begins[1] > 0 && begins[2] > begins[1], `it asked from ${begins}`);
  const loaded = ofType(events, "progress").map(({ loaded }) => loaded);
  assert.deepEqual(loaded, loaded.toSorted((a, b) => a - b), "the bar never goes back");
  assert.equal(loaded.at(-1), shard.length);
}, { provoked: FAILED_REQUEST });

claim("a server that ignores ranges sends the shard anew", async (page) => {
  forShard(({ times, response }) => send(response, 0, times < 2 ? 3_000_000 : shard.length, 200));
  const { results } = await load(page);
  assertSame(results[0], cat());
}, { provoked: FAILED_REQUEST });

claim("a server that refuses ranges sends the shard anew", async (page) => {
  forShard(({ from, times, response }) => {
    if (from > 0) response.writeHead(416).end();
    else send(response, 0, times < 2 ? 3_000_000 : shard.length);
  });
  const { results } = await load(page);
  assertSame(results[0], cat());
}, { provoked: FAILED_REQUEST });

claim("a connection that is always cut at one place ends with what to do", async (page) => {
  await inWorker(page, IMPATIENT);
  forShard(({ from, response }) => (from > 0 ? response.destroy() : send(response, 0, 1_000_000)));
  const { code, message } = await load(page);
  assert.equal(code, "network");
  assert.match(message, /weights-01\.safetensors, of which \d\.\d MB of \d.* MB came: .*check the connection and try again/);
  assert.ok(shardsAsked() > 4 && shardsAsked() < 20, `it asked ${shardsAsked()} times`);
}, { provoked: FAILED_REQUEST });

claim("a connection that stalls is given up and resumed", async (page) => {
  await inWorker(page, IMPATIENT);
  forShard(({ times, from, response }) => {
    if (times > 1) return send(response, from);
    response.writeHead(200, { "content-length": shard.length });
    response.write(shard.subarray(0, 1_000_000));
  });
  const { results } = await load(page);
  assertSame(results[0], cat());
}, { provoked: FAILED_REQUEST });

claim("a slow download tells its speed and the time left", async (page) => {
  forShard(async ({ response }) => {
    response.writeHead(200, { "content-length": shard.length });
    const step = Math.ceil(shard.length / 15);
    for (let from = 0; from < shard.length; from += step) {
      response.write(shard.subarray(from, from + step));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    response.end();
  });
  const progress = ofType((await load(page)).events, "progress");
  const known = progress.filter(({ bytesPerSecond, secondsLeft }) => bytesPerSecond !== null && secondsLeft > 0);
  assert.ok(known.length > 2, "several times on the way");
  for (const { loaded, total, bytesPerSecond, secondsLeft } of known) {
    assert.ok(Math.abs(secondsLeft - (total - loaded) / bytesPerSecond) < 1e-6);
    // The shard takes 1.5 s at the least; a busy machine is slower, another unit would be a thousand times off.
    assert.ok(bytesPerSecond > shard.length / 150 && bytesPerSecond < shard.length, `${bytesPerSecond} bytes a second`);
  }
  assert.equal(progress.at(-1).secondsLeft, 0);
});

claim("a shard that came damaged is fetched once more", async (page) => {
  forShard(({ times, response }) => {
    const bytes = Buffer.from(shard);
    if (times === 1) bytes[bytes.length >> 1] ^= 1;
    response.end(bytes);
  });
  const { results } = await load(page);
  assertSame(results[0], cat());
  assert.equal(shardsAsked(), 2);
});

claim("a shard with the wrong hash is named, and nothing of it is kept", async (page) => {
  forShard(({ response }) => {
    const bytes = Buffer.from(shard);
    bytes[bytes.length >> 1] ^= 1;
    response.end(bytes);
  });
  const { code, message } = await load(page);
  assert.equal(code, "model");
  assert.match(message, new RegExp(`${SHARD} has SHA-256 [0-9a-f]{64}, expected ${sha256(shard)}, twice: .*upload the model again`));
  assert.equal(shardsAsked(), 2);
  opened.served.forget();
  assertSame((await load(page)).results[0], cat());
});

claim("a shard that is too long or missing is named", async (page) => {
  forShard(({ response }) => response.end(Buffer.concat([shard, Buffer.from("more")])));
  const long = await load(page);
  assert.equal(long.code, "model");
  assert.match(long.message, new RegExp(`${SHARD} is longer than the ${shard.length} bytes`));
  forShard(({ response }) => response.writeHead(404).end());
  const missing = await load(page);
  assert.equal(missing.code, "network");
  assert.match(missing.message, /weights-01\.safetensors: the server answered 404 Not Found; check the address/);
}, { provoked: FAILED_REQUEST });

claim("what is no model is told by its first words", async (page) => {
  const { code, message } = await load(page, { model: "/empty.html" });
  assert.equal(code, "model");
  assert.match(message, /empty\.html is not a model\.json: it begins with "<!doctype html>/);
  opened.served.answer = (request, response) => request.url.endsWith("model.json") && response.end('{"name":"another"}');
  assert.match((await load(page)).message, /does not describe a tsp-mgs model/);
});

claim("a big download is asked for, and not again once it is there", async (page) => {
  const files = rebuilt({ bytes: 21e6 });
  opened.served.answer = (request, response) => {
    const file = files[request.url.slice("/big/".length)];
    return file && response.end(file);
  };
  const asking = (isWanted) => page.evaluate(async (isWanted) => {
    const { createScorer, modelCacheBytes } = await import("/tsp-mgs.js");
    const asked = [];
    const confirmDownload = async (bytes) => (asked.push(bytes), isWanted);
    try {
      const scorer = await createScorer({ device: "cpu", model: "/big/model.json", confirmDownload });
      const { fromCache } = scorer.info;
      const result = await scorer.score("/samples/cat.jpg", "a cat");
      scorer.close();
      return { asked, fromCache, result, kept: await modelCacheBytes() };
    } catch ({ name, message }) {
      return { asked, name, message };
    }
  }, isWanted);

  const size = files["part-1.safetensors"].length;
  assert.deepEqual(await asking(false), { asked: [size], name: "AbortError", message: "the download of 21 MB was declined" });
  assert.equal(shardsAsked(), 0);

  const first = await asking(true);
  assert.deepEqual(first.asked, [size]);
  assert.equal(first.fromCache, false);
  assert.equal(first.kept, size + files["model.json"].length);
  assertSame(first.result, cat());

  const second = await asking(false);
  assert.deepEqual(second.asked, []);
  assert.equal(second.fromCache, true);
  assertSame(second.result, cat());
  assert.equal(shardsAsked(), 1);
});

claim("a second visit loads from the cache, even without a network, until the cache is deleted", async (page) => {
  assert.equal((await load(page)).info.fromCache, false);
  const second = await load(page);
  assert.equal(second.info.fromCache, true);
  assert.ok(ofType(second.events, "progress").every(({ fromCache }) => fromCache));
  assert.equal(shardsAsked(), 1);

  opened.served.answer = (request, response) => request.url.startsWith("/model/") && response.destroy();
  assertSame((await load(page)).results[0], cat());
  await page.evaluate(async () => (await import("/tsp-mgs.js")).clearModelCache());
  opened.served.forget();
  assert.equal((await load(page)).info.fromCache, false);
  assert.equal(shardsAsked(), 1);
}, { provoked: FAILED_REQUEST });

claim("a shard that was damaged in the cache is fetched again", async (page) => {
  await load(page);
  await page.evaluate(async (size) => {
    for (const name of await caches.keys()) {
      const cache = await caches.open(name);
      for (const key of await cache.keys()) {
        if (key.url.includes("sha256")) await cache.put(key, new Response(new Uint8Array(size)));
      }
    }
  }, shard.length);
  opened.served.forget();
  assertSame((await load(page)).results[0], cat());
  assert.equal(shardsAsked(), 1);
});

claim("a loading that was given up keeps the shards that had come", async (page) => {
  const files = rebuilt({ count: 2 });
  let isFirst = true;
  let secondAsked;
  const second = new Promise((resolve) => { secondAsked = resolve; });
  opened.served.answer = (request, response) => {
    const name = request.url.slice("/two/".length);
    if (!files[name]) return false;
    // The second shard never comes, so the person gives up.
    if (name === "part-2.safetensors" && isFirst) {
      isFirst = false;
      response.writeHead(200, { "content-length": files[name].length });
      response.write(files[name].subarray(0, 100));
      secondAsked();
    } else response.end(files[name]);
    return true;
  };
  const giveUp = await page.evaluateHandle(() => new AbortController());
  const outcome = page.evaluate(async (giveUp) => {
    const { createScorer } = await import("/tsp-mgs.js");
    return createScorer({ device: "cpu", model: "/two/model.json", signal: giveUp.signal }).then(() => "loaded", ({ name }) => name);
  }, giveUp);
  await second;
  await giveUp.evaluate((giveUp) => giveUp.abort());
  assert.equal(await outcome, "AbortError");
  opened.served.asked = [];
  assertSame((await load(page, { model: "/two/model.json" })).results[0], cat());
  assert.deepEqual(opened.served.asked.filter((path) => path.endsWith(".safetensors")), ["/two/part-2.safetensors"]);
});

claim("without room on the disk the model stays in memory, for the next worker too", async (page, context) => {
  const browserSays = await context.newCDPSession(page);
  await browserSays.send("Storage.overrideQuotaForOrigin", { origin: opened.served.origin, quotaSize: 1e6 });
  const { first, second, notices, fromCache } = await page.evaluate(async () => {
    const { createScorer } = await import("/tsp-mgs.js");
    const notices = [];
    const scorer = await createScorer({ device: "cpu", onEvent: ({ type, message }) => type === "notice" && notices.push(message) });
    const first = await scorer.score("/samples/cat.jpg", "a cat");
    await scorer.configure({ device: "cpu", crops: 1 });
    const second = await scorer.score("/samples/cat.jpg", "a cat");
    return { first, second, notices, fromCache: scorer.info.fromCache };
  });
  assertSame(first, cat());
  assertSame(second, commandLine("cat.jpg", "a cat", "--crops", "1"));
  assert.equal(notices.length, 1);
  assert.match(notices[0], /storage for this page is full: the model stays in memory and is downloaded again at the next visit; free disk space/);
  assert.equal(shardsAsked(), 1);
  assert.equal(fromCache, true, "nothing was downloaded for the second worker");
});
