// types.mjs — completes the declarations that tsc wrote to dist/types. It copies the declarations that are written by hand, and
// corrects the references to them, which point into src/.

import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const www = import.meta.dirname;
const types = join(www, "dist/types");
for (const file of ["jsx.d.ts", "elements/tags.d.ts"]) cpSync(join(www, "src", file), join(types, file));
for (const entry of ["score", "gallery", "published", "define"]) {
  const path = join(types, `${entry}.d.ts`);
  const text = readFileSync(path, "utf8");
  const right = text.replace("../../src/elements/tags.d.ts", "./elements/tags.d.ts");
  if (right === text) throw new Error(`${path} does not refer to elements/tags.d.ts`);
  writeFileSync(path, right);
}
