// queue.test.mjs — the scorer's queue: what it takes next, what it reads ahead, and what it keeps in memory.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Calls } from "../../www/src/engine/calls.js";
import { Job } from "../../www/src/engine/job.js";
import { Queue } from "../../www/src/engine/queue.js";
import { until } from "./stand-in.mjs";

/** A worker that takes one job at a time, and is free again when the test says so. */
class Hand {
  isFree = true;
  taken = [];

  score(job, _, bytes) {
    this.isFree = false;
    this.taken.push(Object.assign(job, { bytes }));
  }

  get last() {
    return this.taken.at(-1);
  }
}

/** A source of jobs with a list that the test can change. */
function source(jobs) {
  return { waiting: () => jobs.filter(({ state }) => state !== "scoring" && state !== "settled") };
}

function jobOf(name, { server = null, priority = 0, read = async () => new Blob([name]), outcome = [] } = {}) {
  const caller = {
    server, priority: () => priority, open: read, begin: () => ({ prompt: name, crops: 1 }),
    scored: () => outcome.push("scored"), failed: ({ message }) => outcome.push(message),
  };
  return Object.assign(new Job(caller), { name, outcome });
}

function queueOf(...sources) {
  const worker = new Hand();
  const queue = new Queue(worker);
  for (const source of sources) queue.add(source);
  const next = (result = {}) => {
    if (worker.last) worker.last.finish(result);
    worker.isFree = true;
    queue.wake();
  };
  return { worker, queue, next };
}

/** Takes all jobs; their names in the order in which the worker got them. */
async function all(queued, count) {
  for (let taken = 1; taken <= count; taken += 1) {
    await until(() => queued.worker.taken.length === taken);
    queued.next();
  }
  return queued.worker.taken.map(({ name }) => name);
}

test("jobs of all sources come by priority, and equal ones in the order of the sources", async () => {
  const jobs = (prefix, ...priorities) => priorities.map((priority, index) => jobOf(`${prefix}${index}`, { priority }));
  const queued = queueOf(source(jobs("a", 0, 0)), source(jobs("b", 1, 0, 2)));
  // A source's own order stands: b2 is wanted most, but comes after b1.
  assert.deepEqual(await all(queued, 5), ["b0", "a0", "a1", "b1", "b2"]);
});

test("calls come by priority, asked each time, and in the order of the calls", async () => {
  const calls = new Calls();
  const queued = queueOf(calls);
  queued.worker.isFree = false;
  const priorities = [0, 0, 1, 0];
  const order = [];
  const asked = priorities.map((_, index) => calls.add(new Blob([String(index)]), null, { priority: () => priorities[index] }, () => queued.queue.wake()).then(() => order.push(index)));
  queued.next();
  await until(() => queued.worker.taken.length === 1);
  priorities[3] = 5;
  for (let taken = 2; taken <= 5; taken += 1) {
    queued.next();
    if (taken <= 4) await until(() => queued.worker.taken.length === taken);
  }
  await Promise.all(asked);
  assert.deepEqual(order, [2, 3, 0, 1]);
});

test("a file that is still read is waited for, an image of a server is not", async () => {
  let opened;
  const file = new Promise((resolve) => { opened = resolve; });
  const jobs = [jobOf("remote", { server: "a.example", read: () => new Promise(() => {}) }), jobOf("slow", { read: () => file }), jobOf("next")];
  const queued = queueOf(source(jobs));
  await until(() => jobs[2].state === "read");
  assert.deepEqual(queued.worker.taken, []);
  opened(new Blob(["slow"]));
  assert.deepEqual(await all(queued, 2), ["slow", "next"]);
});

test("files are read ahead a few at a time, and the bytes of the next one are at hand while the worker is busy", async () => {
  const bytes = [];
  const reads = [];
  const file = (index) => jobOf(`${index}`, {
    read: async () => {
      reads.push(index);
      return Object.assign(new Blob(["x"]), { arrayBuffer: async () => (bytes.push(index), new ArrayBuffer(1)) });
    },
  });
  const jobs = Array.from({ length: 20 }, (_, index) => file(index));
  const queued = queueOf(source(jobs));
  await until(() => reads.length === 5 && bytes.length === 2);
  assert.deepEqual([reads, bytes, queued.worker.taken.length], [[0, 1, 2, 3, 4], [0, 1], 1]);
  queued.next();
  await until(() => queued.worker.taken.length === 2 && bytes.length === 3);
  assert.equal((await jobs[1].bytes).byteLength, 1);
  assert.deepEqual(bytes, [0, 1, 2], "each once");
});

test("images of servers that were read for another order are let go and read again", async () => {
  const reads = [];
  const remote = (index) => jobOf(`${index}`, { server: `${index % 5}.example`, read: async () => (reads.push(index), new Blob([`${index}`])) });
  const jobs = Array.from({ length: 60 }, (_, index) => remote(index));
  const queued = queueOf(source(jobs));
  queued.worker.isFree = false;
  const kept = () => jobs.filter(({ image }) => image !== null).length;
  await until(() => kept() === 12);
  jobs.reverse(); // As if a person scrolled to the end.
  queued.queue.wake();
  await until(() => reads.length === 24 && kept() === 12);
  assert.ok(jobs.slice(0, 12).every(({ state }) => state === "read"));
  jobs.reverse();
  queued.queue.wake();
  await until(() => jobs[0].state === "read");
  assert.equal(reads.filter((index) => index === 0).length, 2);
});

test("jobs whose worker ended come first, in their order, and none settles twice", async () => {
  const jobs = ["a", "b", "c"].map((name) => jobOf(name));
  const queued = queueOf(source(jobs));
  queued.worker.score = (job) => {
    queued.worker.taken.push(job);
    queued.worker.isFree = queued.worker.taken.length % 2 === 1; // Two at once.
  };
  await until(() => queued.worker.taken.length === 2);
  const [a, b] = queued.worker.taken.splice(0);
  queued.queue.again([a, b]);
  queued.worker.isFree = true;
  queued.queue.wake();
  await until(() => queued.worker.taken.length === 2);
  assert.deepEqual(queued.worker.taken.map(({ name }) => name), ["a", "b"]);
  a.finish({});
  a.fail(new Error("late"));
  a.finish({});
  b.fail(new Error("broken"));
  b.finish({});
  assert.deepEqual([a.outcome, b.outcome], [["scored"], ["broken"]]);
  const [, , c] = jobs;
  c.cancel();
  c.finish({});
  assert.deepEqual(c.outcome, []);
});

test("thousands of calls at once cause one look at them", async () => {
  const calls = new Calls();
  let looks = 0;
  const queued = queueOf({ waiting: () => (looks += 1, calls.waiting()) });
  queued.worker.isFree = false;
  for (let index = 0; index < 5000; index += 1) calls.add(new Blob(["x"]), null, {}, () => queued.queue.wake());
  await Promise.resolve();
  assert.ok(looks < 10, `${looks} looks`);
});
