// picture.mjs — makes the pictures of the README from the screenshots of the gallery's tests.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import UPNG from "upng-js";

/** With a palette, the files have a third of the size. */
const COLOURS = 256;
const www = import.meta.dirname;
const taken = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
try {
  execFileSync(process.execPath, ["--test", join(www, "../tests/browser/screenshots.test.mjs")], { env: { ...process.env, SCREENSHOTS: taken }, stdio: "inherit" });
  for (const [from, to] of [["light.png", "picture.png"], ["detail.png", "picture-detail.png"]]) {
    const image = UPNG.decode(readFileSync(join(taken, from)));
    writeFileSync(join(www, to), Buffer.from(UPNG.encode(UPNG.toRGBA8(image), image.width, image.height, COLOURS)));
  }
} finally {
  rmSync(taken, { recursive: true });
}
