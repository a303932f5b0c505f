// installed.mjs — for the tests of the package: packs it as npm does, and installs it into the app that they build.
//
// Needs what served.mjs needs, and app/node_modules as `npm ci` makes it there.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dist, www } from "./served.mjs";

export const app = join(import.meta.dirname, "app");
/** The package as its users get it. */
export const target = join(app, "node_modules/tsp-mgs");

/** A module of the app's packages, by its path in node_modules. */
export const fromApp = (path) => import(join(app, "node_modules", path));

/** An empty folder for a test, deleted after it. */
export function scratch(context) {
  const folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  context.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Gives the paths of the package's files. */
export function install() {
  assert.ok(existsSync(join(app, "node_modules/webpack")), `${app}/node_modules is missing: run npm ci there, as make test-page does`);
  const folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  try {
    const source = join(folder, "source");
    for (const file of ["package.json", "README.md"]) cpSync(join(www, file), join(source, file), { recursive: true });
    cpSync(dist, join(source, "dist"), { recursive: true });
    const pack = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder];
    const [{ filename, files }] = JSON.parse(execFileSync("npm", pack, { cwd: source, encoding: "utf8", stdio: "pipe" }));
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target, { recursive: true });
    execFileSync("tar", ["-xzf", join(folder, filename), "--strip-components=1", "-C", target]);
    return files.map(({ path }) => path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
