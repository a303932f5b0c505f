// types.test.mjs — the package's types, and all code in the documents, under strict TypeScript.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { app, install, scratch } from "./installed.mjs";
import { PATIENCE_MS, www } from "./served.mjs";

before(() => {
  install();
});

const FLAGS = ["--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler", "--jsx", "preserve", "--lib", "es2022,dom,dom.iterable", "--types", ""];

/** Files of code by name; what the compiler says of them. Nothing of what the package brings is skipped. */
function check(context, files) {
  const folder = scratch(context);
  symlinkSync(join(app, "node_modules"), join(folder, "node_modules"));
  for (const [name, code] of Object.entries(files)) writeFileSync(join(folder, name), code);
  try {
    execFileSync(process.execPath, [join(www, "node_modules/.bin/tsc"), ...FLAGS, ...Object.keys(files)], { cwd: folder, encoding: "utf8", stdio: "pipe" });
    return "";
  } catch ({ stdout }) {
    return stdout;
  }
}

test("all code in the documents is right", { timeout: PATIENCE_MS }, (context) => {
  const files = {};
  for (const document of ["www/README.md", "README.md", "docs/web.md"]) {
    const blocks = [...readFileSync(join(www, "..", document), "utf8").matchAll(/^```(js|ts|tsx|html)\n(.*?)^```$/gms)];
    blocks.forEach(([, language, code], index) => {
      const name = `${document.replace(/\W/g, "-")}-${index + 1}`;
      if (language !== "html") files[`${name}.${language === "js" ? "ts" : language}`] = code;
      else [...code.matchAll(/<script type="module">(.*?)<\/script>/gs)].forEach(([, script], part) => (files[`${name}-${part + 1}.ts`] = `${script}\nexport {};`));
    });
  }
  assert.ok(Object.keys(files).length >= 6, Object.keys(files).join());
  assert.equal(check(context, { ...files, "events.d.ts": 'import "tsp-mgs/define";' }), "");
});

test("the types say what the library takes and gives", { timeout: PATIENCE_MS }, (context) => {
  assert.equal(check(context, {
    "scorer.ts": `import { createScorer, clearModelCache, ScoreError, type Result } from "tsp-mgs";
      const scorer = await createScorer({ device: "cpu", crops: 5, confirmDownload: async (bytes: number) => bytes < 1e8,
        onEvent: (event) => { if (event.type === "progress") console.log(event.loaded / event.total); } });
      const result: Result = await scorer.score(new Blob(), "a cat", { signal: AbortSignal.timeout(1000), priority: () => 1, crops: 1 });
      const score: number | undefined = result.perception?.score;
      const source: string | null = result.promptSource;
      for (const image of [new Image(), document.createElement("canvas"), new ImageData(1, 1), new ArrayBuffer(1), new URL("https://a.example"), "a.png"]) await scorer.score(image);
      for await (const { result, error } of scorer.scoreAll(["a.png", { image: "b.png", prompt: "b" }])) { if (error) console.log(error.code); else console.log(result.width); }
      try { await scorer.configure({ crops: 1 }); } catch (error) { if (error instanceof ScoreError && error.code === "network") throw source ?? score; }
      scorer[Symbol.dispose]();
      await clearModelCache();`,
    "elements.ts": `import { TspGallery } from "tsp-mgs/gallery";
      import { TspScore } from "tsp-mgs/score";
      const score: TspScore = document.createElement("tsp-score");
      score.addEventListener("tsp-score", ({ detail }) => console.log(detail.perception?.qImage));
      const gallery: TspGallery | null = document.querySelector("tsp-gallery");
      gallery?.addEventListener("tsp-mark", ({ detail }) => console.log(detail.ids.length));
      addEventListener("tsp-scored", ({ detail }) => console.log(detail.elapsedMs));`,
    "react.tsx": `import type {} from "tsp-mgs/jsx";
      export const both = () => <><tsp-score src="a.png" crops={5} ontsp-error={({ detail }) => console.log(detail.code)} /><tsp-gallery model="m" show-samples /></>;`,
  }), "");
});

test("what the library does not take is an error where it stands", { timeout: PATIENCE_MS }, (context) => {
  const said = check(context, {
    "device.ts": 'import { createScorer } from "tsp-mgs";\nawait createScorer({ device: "gpu" });',
    "image.ts": 'import { createScorer } from "tsp-mgs";\n(await createScorer()).score(5);',
    "name.ts": 'import { createScorer } from "tsp-mgs";\n(await (await createScorer()).score("a")).prompt_source;',
    "tag.tsx": 'import type {} from "tsp-mgs/jsx";\nexport const tag = <tsp-score crops="five" />;',
  });
  for (const wrong of [/device\.ts\(2,\d+\): error TS2322: .*"gpu"/, /image\.ts\(2,\d+\): error TS2345/, /name\.ts\(2,\d+\): error TS\d+: .*promptSource/, /tag\.tsx\(2,\d+\): error TS2322/]) assert.match(said, wrong);
});
