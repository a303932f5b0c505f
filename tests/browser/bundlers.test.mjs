// bundlers.test.mjs — the package in an app (app/), as each bundler builds it, as Next renders it, and from a plain folder as a CDN
// serves it. Each result is opened in Chromium and scores one image on the CPU.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createSocket } from "node:net";
import { join } from "node:path";
import { before, test } from "node:test";
import { app, fromApp, install, scratch, target } from "./installed.mjs";
import { assertSame, commandLine, dist, opening, PATIENCE_MS, Served, www } from "./served.mjs";

const opened = opening();
before(() => {
  install();
});

/** Opens the app at an address; the model and the images are there, whoever serves the app. */
async function opensAndScores(address) {
  const context = await opened.browser.newContext();
  try {
    await context.route(({ pathname }) => /^\/(model|samples)\//.test(pathname), (route) => route.fulfill({ path: join(dist, new URL(route.request().url()).pathname), headers: { "access-control-allow-origin": "*" } }));
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const errors = [];
    page.on("console", (message) => message.type() === "error" && errors.push(`${message.text()} ${message.location().url}`));
    page.on("pageerror", (error) => errors.push(error.message));
    await page.goto(address);
    const result = await page.waitForFunction(() => {
      const { result, error } = document.querySelector("tsp-score");
      return result ?? (error && { code: error.code, message: error.message });
    }).then((handle) => handle.jsonValue(), (error) => assert.fail(`${error.message}\n${errors.join("\n")}`));
    assertSame(result, commandLine("cat.jpg", "a cat", "--crops", "1"));
    assert.ok(await page.evaluate(() => customElements.get("tsp-gallery") !== undefined));
    assert.deepEqual(errors, []);
    // A framework shows the event's result when it renders next.
    const shown = await page.waitForFunction(() => {
      const output = document.querySelector("output");
      return output ? output.textContent && { text: output.textContent } : { text: "" };
    });
    return (await shown.jsonValue()).text;
  } finally {
    await context.close();
  }
}

async function servedAndScores(folder) {
  const served = await Served.open(folder);
  try {
    await opensAndScores(served.origin);
  } finally {
    served.close();
  }
}

const VITES = [["Vite 7", join(app, "node_modules/vite/dist/node/index.js"), "7."], ["Vite 8", join(www, "node_modules/vite/dist/node/index.js"), "8."]];
for (const [name, path, major] of VITES) {
  test(`${name} builds it`, { timeout: PATIENCE_MS }, async (context) => {
    const { build, version } = await import(path);
    assert.ok(version.startsWith(major), version);
    const outDir = scratch(context);
    await build({ root: app, configFile: false, logLevel: "error", publicDir: false, build: { outDir, emptyOutDir: true, target: "es2022", reportCompressedSize: false } });
    await servedAndScores(outDir);
  });

  test(`${name} serves it in development`, { timeout: PATIENCE_MS }, async (context) => {
    const { createServer } = await import(path);
    const server = await createServer({ root: app, configFile: false, logLevel: "error", publicDir: false, cacheDir: scratch(context),
      optimizeDeps: { exclude: ["tsp-mgs"] }, server: { port: await freePort(), host: "127.0.0.1" } });
    try {
      await server.listen();
      await opensAndScores(`http://127.0.0.1:${server.httpServer.address().port}/`);
    } finally {
      await server.close();
    }
  });
}

test("webpack 5 builds it", { timeout: PATIENCE_MS }, async (context) => {
  const { default: webpack } = await fromApp("webpack/lib/index.js");
  const path = scratch(context);
  const stats = await new Promise((resolve, reject) => {
    webpack({ mode: "production", context: app, entry: "./main.js", output: { path, filename: "main.js" }, performance: false }, (error, stats) => (error ? reject(error) : resolve(stats)));
  });
  const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
  assert.deepEqual([...errors, ...warnings].map(({ message }) => message), []);
  copyFileSync(join(app, "index.html"), join(path, "index.html"));
  await servedAndScores(path);
});

test("esbuild builds it, with the worker and the modules copied", { timeout: PATIENCE_MS }, async (context) => {
  const { build } = await fromApp("esbuild/lib/main.js");
  const outdir = scratch(context);
  await build({ entryPoints: [join(app, "main.js")], bundle: true, minify: true, format: "esm", outdir, logLevel: "error" });
  mkdirSync(join(outdir, "tsp-mgs"));
  for (const part of ["tsp-mgs-worker.js", "wasm"]) cpSync(join(target, "dist", part), join(outdir, "tsp-mgs", part), { recursive: true });
  writeFileSync(join(outdir, "index.html"), readFileSync(join(app, "index.html"), "utf8").replace("<!doctype html>", '<!doctype html><html data-files="/tsp-mgs/">'));
  await servedAndScores(outdir);
});

test("Next renders it on the server, and it scores in the page", { timeout: PATIENCE_MS }, async () => {
  const next = join(app, "node_modules/next/dist/bin/next");
  const env = { ...process.env, NEXT_TELEMETRY_DISABLED: "1" };
  rmSync(join(app, ".next"), { recursive: true, force: true });
  execFileSync(process.execPath, [next, "build"], { cwd: app, env, stdio: "pipe" });
  const port = await freePort();
  const server = spawn(process.execPath, [next, "start", "-H", "127.0.0.1", "-p", String(port)], { cwd: app, env, stdio: "pipe" });
  const ended = new Promise((resolve) => server.once("exit", resolve));
  try {
    await new Promise((resolve, reject) => {
      let said = "";
      const hear = (part) => /Ready in/.test(said += part) && resolve();
      server.stdout.on("data", hear);
      server.stderr.on("data", hear);
      ended.then(() => reject(new Error(`next start ended: ${said}`)));
    });
    const address = `http://127.0.0.1:${port}/`;
    assert.match(await (await fetch(address)).text(), /<tsp-score [^>]*src="\/samples\/cat\.jpg"[^>]*>/, "the element is in the page before any script runs");
    const shown = await opensAndScores(address);
    assert.ok(Math.abs(shown - commandLine("cat.jpg", "a cat", "--crops", "1").perception.score) < 2e-3, `the component shows ${shown}`);
  } finally {
    server.kill();
    await ended;
    rmSync(join(app, ".next"), { recursive: true, force: true });
  }
});

test("a page without a bundler takes it from a CDN", { timeout: PATIENCE_MS }, async () => {
  const served = await Served.open(target);
  try {
    served.answer = (request, response) => {
      if (request.url !== "/") return void response.setHeader("access-control-allow-origin", "*");
      response.setHeader("content-type", "text/html").end(`<!doctype html><link rel="icon" href="data:,"><script type="module" src="${served.origin}/dist/cdn.js"></script>
        <tsp-score model="/model/model.json" device="cpu" crops="1" src="/samples/cat.jpg" prompt="a cat"></tsp-score>`);
      return true;
    };
    await opensAndScores(served.elsewhere);
  } finally {
    served.close();
  }
});

async function freePort() {
  const server = createSocket().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
