// gallery-model.test.mjs — the model as a person chooses it: from an address, a folder or the cache; asked for before a big
// download, which can be stopped and goes on later.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { allScored, galleryClaims, shownScores } from "./gallery.mjs";
import { commandLine, dist, opening, rebuilt, sha256, trainer } from "./served.mjs";

const opened = opening();
const claim = galleryClaims(opened);

let sample, folder;

before(() => {
  [sample] = JSON.parse(readFileSync(join(dist, "samples/samples.json")));
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** Serves these files of a model in a folder; `answer` may take a request on itself. */
function serveModel(where, files, answer = () => false) {
  opened.served.answer = (request, response) => {
    const file = request.url.startsWith(where) && files[request.url.slice(where.length)];
    if (!file) return false;
    response.setHeader("access-control-allow-origin", "*");
    return answer(request, response, file) || response.end(file);
  };
}

/** The second file of two trickles up to its middle the first time; `cut` settles when nobody listens any more. */
function serveSlowly() {
  const files = rebuilt({ count: 2 });
  let times = 0;
  let hasEnded;
  const cut = new Promise((resolve) => { hasEnded = resolve; });
  serveModel("/slow/", files, (request, response, file) => {
    if (!request.url.endsWith("part-2.safetensors") || ++times > 1) return false;
    response.writeHead(200, { "content-length": file.length });
    const step = Math.ceil(file.length / 100);
    let sent = 0;
    // The page tells at most ten times a second how much is there.
    const trickle = setInterval(() => sent < file.length / 2 && response.write(file.subarray(sent, (sent += step))), 50);
    response.once("close", () => {
      clearInterval(trickle);
      hasEnded();
    });
    return true;
  });
  return { first: files["part-1.safetensors"].length, cut };
}

const shardsAsked = () => opened.served.asked.filter((path) => path.endsWith(".safetensors"));
const dialogOf = (page) => page.getByRole("dialog", { name: "Model and device" });

async function sampleIsScored(page) {
  await allScored(page);
  await shownScores(page, sample.file, commandLine(sample.file, sample.prompt));
}

claim("a big model is asked for with its size, can be refused, and is loaded later", async (page) => {
  const question = page.getByRole("dialog", { name: "Download the model?" });
  await question.waitFor();
  assert.match(await question.textContent(), /Download 2\d MB\?/);
  await page.keyboard.press("Escape");
  await page.getByText(/The model is not loaded/).waitFor();
  await page.getByRole("button", { name: "Load the model" }).click();
  await question.getByRole("button", { name: "Not now" }).click();
  await page.getByText(/The model is not loaded/).waitFor();
  assert.deepEqual(shardsAsked(), []);
  assert.equal(await page.locator("data.value").count(), 0);
  await page.getByRole("button", { name: "Load the model" }).click();
  await question.getByRole("button", { name: "Download", exact: true }).click();
  await sampleIsScored(page);
}, { query: "?device=cpu&model=/big/model.json", before: () => serveModel("/big/", rebuilt({ bytes: 22e6 })) });

claim("a download is cancelled on its way, goes on later, comes from the cache at the next visit, and anew once that is deleted", async (page, _, { first, cut }) => {
  const state = page.locator(".banner", { hasText: /the model/i });
  // The first of two files is there, and the second is on its way.
  await page.getByText(/^Downloading the model:\s+[\d.]+ of [\d.]+ MB/).waitFor();
  await page.waitForFunction((first) => document.querySelector("tsp-gallery").engine.progress?.loaded > first, first);
  await state.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("The model is not loaded. The images wait for it.").waitFor();
  await cut;
  assert.equal(await page.locator("data.value").count(), 0);
  assert.deepEqual(shardsAsked(), ["/slow/part-1.safetensors", "/slow/part-2.safetensors"]);

  await page.getByRole("button", { name: "Load the model" }).click();
  await sampleIsScored(page);
  assert.deepEqual(shardsAsked().slice(2), ["/slow/part-2.safetensors"], "what had come is not downloaded twice");

  opened.served.asked = [];
  await page.reload();
  await page.locator(".chip.ready").click();
  assert.match(await dialogOf(page).textContent(), /from this browser's cache/);
  assert.deepEqual(shardsAsked(), []);
  await dialogOf(page).getByRole("button", { name: "Delete" }).click();
  await dialogOf(page).getByText(/0\.0 MB of models/).waitFor();
  assert.ok(await dialogOf(page).getByRole("button", { name: "Delete" }).isDisabled());

  await page.reload();
  await page.locator(".chip.ready").click();
  assert.match(await dialogOf(page).textContent(), /downloaded/);
  assert.deepEqual(shardsAsked(), ["/slow/part-1.safetensors", "/slow/part-2.safetensors"]);
}, { query: "?device=cpu&model=/slow/model.json", before: serveSlowly });

claim("a model is loaded by its address on another server, and its results say that it was it", async (page) => {
  await allScored(page);
  const files = rebuilt({ count: 2 });
  serveModel("/elsewhere/", files);
  await page.locator(".chip.ready").click();
  await page.getByLabel("Address of a model.json").fill(`${opened.served.elsewhere}/elsewhere/model.json`);
  await page.getByRole("button", { name: "Load", exact: true }).click();
  const hash = sha256(files["model.json"]);
  await page.waitForFunction((hash) => document.querySelector("tsp-gallery").collection.items.every(({ status, provenance }) => status === "scored" && provenance.modelHash === hash), hash);
  await shownScores(page, sample.file, commandLine(sample.file, sample.prompt));
  assert.deepEqual(shardsAsked().filter((path) => path.startsWith("/elsewhere/")), ["/elsewhere/part-1.safetensors", "/elsewhere/part-2.safetensors"]);

  // An address that leads nowhere says so, and the model that worked can be had again.
  await page.locator(".chip.ready").click();
  await page.getByLabel("Address of a model.json").fill(`${opened.served.origin}/nowhere/model.json`);
  await page.keyboard.press("Enter");
  await page.getByRole("alert").getByText(/nowhere\/model\.json: the server answered 404 Not Found; check the address/).waitFor();
  await page.getByRole("button", { name: "Choose another model" }).click();
  await page.getByRole("button", { name: "Built-in model" }).click();
  await page.locator(".chip.ready").waitFor();
  await sampleIsScored(page);
}, { provoked: [/Failed to load resource/] });

claim("a model from a local folder scores, and says what it lacks", async (page) => {
  await allScored(page);
  const model = join(folder, "vision-only");
  execFileSync(trainer(), ["export", "--vision-only", "--out", model], { stdio: "pipe" });
  await page.locator(".chip.ready").click();
  const choosing = page.waitForEvent("filechooser");
  await page.getByText("Folder with model.json").click();
  await (await choosing).setFiles(model);
  await page.getByText(/no text tower/i).first().waitFor();
  await allScored(page);
  const { file, prompt } = sample;
  const args = ["score", "--format", "jsonl", "--model", model, "--prompt", prompt, join(dist, "samples", file)];
  await shownScores(page, file, JSON.parse(execFileSync(trainer(), args, { encoding: "utf8", stdio: "pipe" })));
});
