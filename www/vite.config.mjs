// vite.config.mjs — what becomes of src/. `npm run build` runs it once for each mode, into dist/ or the folder in OUT:
//
//   library          the package's entries, tsp-mgs.js, score.js, gallery.js, published.js and define.js, and what they share; lit
//                    and idb stay imports, so that a bundler has them once
//   cdn              cdn.js, which is define.js with lit and idb in it, since a browser finds no package by its name; their licences.
//                    It loads the library's code for published galleries from beside it
//   worker           tsp-mgs-worker.js, in one file, since bundlers of others copy it as it is
//   page             the gallery's page, its scripts and styles beside it
//   service-worker   service-worker.js, which is told what all the others made
//
// wasm/, model/ and samples/ lie in the same folder and are left alone.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { defineConfig } from "vite";

const www = import.meta.dirname;
const out = resolve(www, process.env.OUT ?? "dist");

export default defineConfig(({ mode }) => ({
  base: "./",
  publicDir: false,
  plugins: mode === "cdn" ? [publishedApart, withoutPreload] : [withoutPreload],
  define: mode === "service-worker" ? { __FILES__: JSON.stringify(filesOf(out)) } : {},
  build: {
    outDir: out,
    emptyOutDir: false,
    // What runs WebGPU and wasm SIMD, and today's Firefox and Safari.
    target: ["chrome113", "firefox120", "safari17"],
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    // An inlined file would be a data: address, which a strict content security policy refuses.
    assetsInlineLimit: 0,
    assetsDir: "",
    ...parts[mode],
  },
}));

const parts = {
  library: {
    rollupOptions: {
      input: {
        "tsp-mgs": join(www, "src/index.js"),
        ...Object.fromEntries(["score", "gallery", "published", "define"].map((name) => [name, join(www, `src/${name}.js`)])),
        // As inputs, these chunks keep the names of their exports, which cdn.js uses.
        ...Object.fromEntries(["show", "live"].map((name) => [`chunk-${name}`, join(www, `src/published/${name}.js`)])),
      },
      external: [/^lit($|\/)/, "idb"],
      preserveEntrySignatures: "strict",
      // Beside the worker and wasm/, which the engine finds from the file that it is part of.
      output: { entryFileNames: "[name].js", chunkFileNames: "chunk-[name].js" },
    },
  },
  cdn: {
    ...oneFile("src/define.js", "cdn.js"),
    license: { fileName: "tsp-mgs.licenses.md" },
  },
  worker: oneFile("src/engine/worker.js", "tsp-mgs-worker.js"),
  page: {
    rollupOptions: {
      input: join(www, "index.html"),
      // The engine finds its worker beside the script that it is part of. The service worker knows versions, so names need none.
      output: { entryFileNames: "page.js", chunkFileNames: "page-[name].js", assetFileNames: "[name][extname]" },
    },
  },
  "service-worker": oneFile("src/page/service-worker.js", "service-worker.js"),
};

/** Leaves the code for published galleries in the chunks that `library` makes of it: most pages with cdn.js show none. */
const publishedApart = {
  name: "published-apart",
  enforce: "pre",
  resolveId(source, importer) {
    const part = importer?.endsWith("/published/within.js") && source.match(/^\.\/(show|live)\.js$/)?.[1];
    return part ? { id: `./chunk-${part}.js`, external: "relative" } : null;
  },
};

/** Leaves dynamic imports as they are. Two plugins of Vite would wrap them with a helper of 1.8 kB, which webpack warns about. */
const withoutPreload = {
  name: "without-preload",
  configResolved({ plugins }) {
    for (const name of ["vite:build-import-analysis", "native:import-analysis-build"]) {
      const index = plugins.findIndex((plugin) => plugin.name === name);
      if (index < 0) throw new Error(`Vite has no plugin ${name} any more: find what wraps dynamic imports now`);
      plugins.splice(index, 1);
    }
  },
};

/** One file in and one out, exports kept. Vite's own mode for libraries would keep white space, a quarter of the bytes. */
function oneFile(source, name) {
  return {
    rollupOptions: {
      input: join(www, source),
      preserveEntrySignatures: "strict",
      output: { entryFileNames: name, codeSplitting: false },
    },
  };
}

/** The SHA-256 of each file that the page needs beside model and samples, by its path from the page. */
function filesOf(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => /\.(html|js|css|svg|wasm)$/.test(path) && !/^(model|samples|types|examples)\/|^(service-worker|tsp-mgs|score|gallery|published|define|cdn|chunk-.*)\.js$/.test(path))
    .sort();
  return Object.fromEntries(files.map((path) => [path, createHash("sha256").update(readFileSync(join(folder, path))).digest("hex")]));
}
