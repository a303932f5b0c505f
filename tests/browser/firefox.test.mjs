// firefox.test.mjs — the page in Firefox as a visitor has it: no driver, it only opens the address. A script that is served with the
// page does what a person does, and tells the server what the screen says.
//
// Needs what served.mjs needs, and Firefox (FIREFOX, or the one on PATH); without it the test is skipped.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { commandLine, dist, needBuilt, PATIENCE_MS, Served, TOLERANCE } from "./served.mjs";

const executable = process.env.FIREFOX ?? spawnSync("sh", ["-c", "command -v firefox-esr firefox | head -1"], { encoding: "utf8" }).stdout.trim();
/** Without the first visit's pages, and without asking its makers' servers. */
const SETTINGS = { "browser.aboutwelcome.enabled": false, "datareporting.policy.dataSubmissionEnabled": false, "app.update.enabled": false,
  "app.normandy.enabled": false, "services.settings.server": "", "network.captive-portal-service.enabled": false, "network.connectivity-service.enabled": false };

/** Runs in the page, beside its own script. */
async function visit() {
  const errors = [];
  addEventListener("error", ({ message }) => errors.push(message));
  addEventListener("unhandledrejection", ({ reason }) => errors.push(String(reason)));
  addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) => errors.push(`${violatedDirective} ${blockedURI}`));
  const until = async (isTrue) => {
    for (let found; ; await new Promise(requestAnimationFrame)) if ((found = isTrue())) return found;
  };
  const gallery = document.querySelector("tsp-gallery");
  const root = await until(() => gallery.shadowRoot);
  const cells = () => [...root.querySelectorAll('[role="gridcell"]')];
  const press = (key) => root.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true }));
  await until(() => gallery.collection.progress.total > 0 && gallery.collection.progress.waiting === 0);
  await until(() => cells().length > 0 && cells().every((cell) => cell.querySelector("data.value")));
  const tiles = cells().map((cell) => ({ file: cell.title, values: Array.from(cell.querySelectorAll("data.value"), ({ value }) => Number(value)) }));

  const cell = cells().find(({ title }) => title === "cat.jpg");
  cell.focus();
  press("k");
  await until(() => cell.querySelector(".mark.keep"));
  press("Enter");
  const detail = await until(() => root.querySelector("dialog.detail[open] .parts article") && root.querySelector("dialog.detail[open]"));
  const prompt = detail.querySelector("textarea");
  prompt.value = "a lynx";
  prompt.dispatchEvent(new InputEvent("input", { bubbles: true }));
  detail.querySelector("form button").click();
  await until(() => gallery.collection.progress.waiting === 0 && gallery.collection.items.some(({ prompt, status }) => prompt === "a lynx" && status === "scored"));
  await until(() => detail.querySelector("#prompt-note").textContent.includes("Typed here") && !detail.querySelector('[aria-busy="true"]'));
  const edited = Array.from(detail.querySelectorAll(".score .big data"), ({ dataset }) => Number(dataset.value));
  await fetch("told", { method: "POST", body: JSON.stringify({ tiles, edited, errors, chip: root.querySelector(".chip").textContent, agent: navigator.userAgent }) });
}

test("in Firefox the samples and an edited prompt score as the command line does, without an error", { skip: executable ? false : "no Firefox here", timeout: PATIENCE_MS }, async () => {
  needBuilt();
  const samples = JSON.parse(readFileSync(join(dist, "samples/samples.json")));
  const profile = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  writeFileSync(join(profile, "user.js"), Object.entries(SETTINGS).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});\n`).join(""));
  const served = await Served.open();
  let firefox;
  try {
    const told = new Promise((resolve, reject) => {
      served.answer = (request, response) => {
        const path = request.url.split("?")[0];
        if (path === "/visit.js") response.setHeader("content-type", "text/javascript").end(`(${visit})();`);
        else if (path === "/visit.html") response.setHeader("content-type", "text/html").end(readFileSync(join(dist, "index.html"), "utf8").replace("</body>", '<script src="visit.js"></script></body>'));
        else if (path === "/told") {
          let body = "";
          request.on("data", (part) => { body += part; }).on("end", () => resolve(JSON.parse(body)));
          response.end();
        } else return false;
        return true;
      };
      firefox = spawn(executable, ["--headless", "--no-remote", "--profile", profile, `${served.origin}/visit.html?device=cpu`], { stdio: "ignore" });
      firefox.once("error", reject).once("exit", (code) => reject(new Error(`Firefox ended with ${code}`)));
    });
    const { tiles, edited, errors, chip, agent } = await told;
    assert.match(agent, /Firefox\/\d/);
    assert.deepEqual(errors, []);
    assert.match(chip, /CPU/);
    assert.deepEqual(tiles.map(({ file }) => file), samples.map(({ file }) => file));
    for (const [index, { file, prompt }] of samples.entries()) near(tiles[index].values, commandLine(file, prompt), file);
    near(edited, commandLine("cat.jpg", "a lynx"), "the edited prompt");
  } finally {
    if (firefox?.exitCode === null) {
      const ended = new Promise((resolve) => firefox.once("exit", resolve));
      firefox.kill();
      await ended;
    }
    served.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

function near(found, { perception, alignment }, what) {
  const expected = [perception, alignment].filter(Boolean).map(({ score }) => score);
  assert.equal(found.length, expected.length, what);
  found.forEach((value, index) => assert.ok(Math.abs(value - expected[index]) <= TOLERANCE, `${what}: found ${value}, the command line has ${expected[index]}`));
}
