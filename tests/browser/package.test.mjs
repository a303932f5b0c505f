// package.test.mjs — the package as npm packs it, in a bundler and in TypeScript.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { assertSame, claims, commandLine, dist, opening, PATIENCE_MS, Served, www } from "./served.mjs";

const packages = createRequire(join(www, "package.json"));
const bin = (name) => join(www, "node_modules/.bin", name);
const claim = claims(opening());

/** The package as `npm pack` makes it, unpacked into the node_modules of an empty project. */
function installed() {
  const folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  const source = join(folder, "source");
  for (const file of ["package.json", "README.md"]) cpSync(join(www, file), join(source, file), { recursive: true });
  cpSync(dist, join(source, "dist"), { recursive: true });
  const [{ filename, files }] = JSON.parse(execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], { cwd: source, encoding: "utf8", stdio: "pipe" }));
  const target = join(folder, "node_modules/tsp-mgs");
  mkdirSync(target, { recursive: true });
  execFileSync("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", target]);
  rmSync(source, { recursive: true });
  return { folder, target, paths: files.map(({ path }) => path) };
}

claim("the packed package is whole, and works from a bundler", async (page) => {
  const { folder, target, paths } = installed();
  let app;
  try {
    for (const path of ["README.md", "dist/LICENSE-MIT", "dist/LICENSE-APACHE", "dist/tsp-mgs.licenses.md", "dist/tsp-mgs.js", "dist/tsp-mgs-worker.js", "dist/types/index.d.ts", "dist/wasm/cpu/tsp_mgs_web_bg.wasm", "dist/wasm/cpu-relaxed/tsp_mgs_web_bg.wasm", "dist/wasm/webgpu/tsp_mgs_web.js"]) {
      assert.ok(paths.includes(path), `${path} is in the package`);
    }
    assert.deepEqual(paths.filter((path) => /model\.json|samples|page\.js|\.html$/.test(path)), [], "nothing of the page is");
    const { publint } = await import(pathToFileURL(packages.resolve("publint")));
    assert.deepEqual((await publint({ pkgDir: target, strict: true })).messages, []);

    writeFileSync(join(folder, "package.json"), '{ "type": "module", "private": true }');
    writeFileSync(join(folder, "index.html"), '<!doctype html><link rel="icon" href="data:,"><script type="module" src="main.js"></script>');
    writeFileSync(join(folder, "main.js"), `import { createScorer } from "tsp-mgs";
      const scorer = await createScorer({ model: "/model/model.json", device: "cpu" });
      window.result = await scorer.score("/samples/cat.jpg", "a cat");`);
    execFileSync(process.execPath, [bin("vite"), "build", folder, "--logLevel", "error", "--target", "es2022"], { stdio: "pipe", cwd: folder });
    app = await Served.open(join(folder, "dist"));
    app.answer = (request, response) => /^\/(model|samples)\//.test(request.url) && response.end(readFileSync(join(dist, request.url)));
    await page.goto(app.origin);
    await page.waitForFunction(() => window.result);
    assertSame(await page.evaluate(() => window.result), commandLine("cat.jpg", "a cat"));
  } finally {
    app?.close();
    rmSync(folder, { recursive: true });
  }
});

test("the package's types say what createScorer takes and gives", { timeout: PATIENCE_MS }, () => {
  const { folder } = installed();
  try {
    const check = (code) => {
      writeFileSync(join(folder, "use.ts"), code);
      const flags = ["--noEmit", "--strict", "--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom,dom.iterable", "--types", "", "use.ts"];
      try {
        execFileSync(process.execPath, [bin("tsc"), ...flags], { cwd: folder, encoding: "utf8", stdio: "pipe" });
        return "";
      } catch ({ stdout }) {
        return stdout;
      }
    };
    writeFileSync(join(folder, "package.json"), '{ "type": "module", "private": true }');
    assert.equal(check(`import { createScorer, defineElements, clearModelCache, ScoreError, type Result } from "tsp-mgs";
      const scorer = await createScorer({ device: "cpu", crops: 5, confirmDownload: async (bytes: number) => bytes < 1e8,
        onEvent: (event) => { if (event.type === "progress") console.log(event.loaded / event.total); } });
      const result: Result = await scorer.score(new Blob(), "a cat", { signal: AbortSignal.timeout(1000), priority: () => 1 });
      const score: number | undefined = result.perception?.score;
      try { await scorer.configure({ crops: 1 }); } catch (error) { if (error instanceof ScoreError && error.code === "network") throw score; }
      defineElements();
      await clearModelCache();`), "");
    assert.match(check('import { createScorer } from "tsp-mgs";\nawait createScorer({ device: "gpu" });'), /use\.ts\(2,\d+\): error TS2322: .*"gpu"/);
    assert.match(check('import { createScorer } from "tsp-mgs";\n(await createScorer()).score(5);'), /use\.ts\(2,\d+\): error TS2345/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
