// gallery-intake.test.mjs — the ways in which a person brings images and prompts: dropped, pasted, picked and by address.

import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { allScored, drop, galleryClaims, shownScores, tile } from "./gallery.mjs";
import { bytesOf, commandLine, dist, dropFromDesktop, opening } from "./served.mjs";

const opened = opening();
const claim = galleryClaims(opened);
/** The browser asks a person before a page reads the clipboard. */
const CLIPBOARD = { permissions: ["clipboard-read", "clipboard-write"] };

let folder;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "tsp-mgs-"));
  mkdirSync(join(folder, "deep"));
  const copy = (file, to) => cpSync(join(dist, "samples", file), join(folder, to));
  copy("cat.jpg", "deep/one.jpg");
  writeFileSync(join(folder, "deep/one.txt"), "a tiger");
  copy("coffee.jpg", "two.jpg");
  writeFileSync(join(folder, "two.json"), JSON.stringify({ prompt: "a cup, half full" }));
  copy("fish.jpg", "three.jpg");
  writeFileSync(join(folder, "prompts.csv"), "file,prompt\nthree.jpg,a goldfish\n");
  copy("rocket.png", "rocket.png"); // Its prompt is in its metadata.
  writeFileSync(join(folder, "notes.md"), "no image");
});

after(() => rmSync(folder, { recursive: true, force: true }));

/** All that lies in the folder. */
async function folderIsScored(page) {
  await page.waitForFunction(() => document.querySelector("tsp-gallery").collection.items.length === 4);
  await allScored(page);
  await shownScores(page, "one.jpg", commandLine("cat.jpg", "a tiger"));
  await shownScores(page, "two.jpg", commandLine("coffee.jpg", "a cup, half full"));
  await shownScores(page, "three.jpg", commandLine("fish.jpg", "a goldfish"));
  await shownScores(page, "rocket.png", commandLine("rocket.png", null));
  const told = await page.locator(".banners").textContent();
  assert.match(told, /Prompts\.csv: 1 image got its prompt/);
  assert.match(told, /One file was skipped \(1 \.md\)/);
}

claim("a folder picked in the page's own control is scored with the prompts that lie in it", async (page) => {
  await page.locator(".chip.ready").waitFor(); // Until then banners come and go, and can move a button from under a click.
  const choosing = page.waitForEvent("filechooser");
  await page.locator(".drop").getByText("Folder", { exact: true }).click();
  await (await choosing).setFiles(folder);
  await folderIsScored(page);
}, { isEmpty: true, before: (page) => page.addInitScript(() => delete Window.prototype.showDirectoryPicker && delete window.showDirectoryPicker) });

claim("where the browser hands out folders, a picked one is scored with the prompts that lie in it", async (page) => {
  // The browser's own window cannot be used by a test; what it hands out can: a folder with the same files.
  const files = ["deep/one.jpg", "deep/one.txt", "two.jpg", "two.json", "three.jpg", "prompts.csv", "rocket.png", "notes.md"];
  opened.served.answer = (request, response) => {
    const path = request.url.slice("/folder/".length);
    if (!files.includes(path)) return false;
    response.end(readFileSync(join(folder, path)));
    return true;
  };
  await page.evaluate(async (files) => {
    const picked = await (await navigator.storage.getDirectory()).getDirectoryHandle("picked", { create: true });
    for (const path of files) {
      const [name, above] = path.split("/").reverse();
      const folder = above ? await picked.getDirectoryHandle(above, { create: true }) : picked;
      const writable = await (await folder.getFileHandle(name, { create: true })).createWritable();
      await writable.write(await (await fetch(`/folder/${path}`)).blob());
      await writable.close();
    }
    window.showDirectoryPicker = async () => picked;
  }, files);
  await page.locator(".chip.ready").waitFor(); // As above.
  await page.getByRole("button", { name: "Folder" }).click();
  await folderIsScored(page);
}, { isEmpty: true });

claim("a folder dropped from the desktop is scored with the prompts that lie in it", async (page) => {
  await dropFromDesktop(page, "tsp-gallery", [folder]);
  await folderIsScored(page);
}, { isEmpty: true });

claim("an image copied in another tab is pasted with Ctrl+V and scored", async (page, context) => {
  await copyElsewhere(context, async () => {
    const image = await (await fetch("/samples/rocket.png")).blob();
    await navigator.clipboard.write([new ClipboardItem({ "image/png": image })]);
  });
  await page.keyboard.press("Control+V");
  await allScored(page);
  // A browser copies the pixels alone, so the prompt in the file is gone.
  const expected = commandLine("rocket.png", "  ");
  assert.equal(expected.alignment, null);
  await shownScores(page, "pasted-1.png", expected);
}, { isEmpty: true, context: CLIPBOARD });

claim("addresses copied as text are pasted with Ctrl+V and fetched, but not those that go into a field", async (page, context) => {
  await copyElsewhere(context, (addresses) => navigator.clipboard.writeText(addresses), `${opened.served.origin}/samples/coffee.jpg\n${opened.served.origin}/samples/cat.jpg\nno address\n`);
  await page.keyboard.press("Control+V");
  await allScored(page);
  await shownScores(page, "coffee.jpg", commandLine("coffee.jpg", null));
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", null));
  assert.match(await page.locator(".banners").textContent(), /found something else in line 3 \("no address"\)/);
  await page.getByRole("button", { name: "Dismiss" }).click();

  await copyElsewhere(context, (text) => navigator.clipboard.writeText(text), `${opened.served.origin}/samples/fish.jpg`);
  await page.getByLabel("Search prompts and names").click();
  await page.keyboard.press("Control+V");
  assert.match(await page.getByLabel("Search prompts and names").inputValue(), /fish\.jpg$/);
  await page.getByText("No image matches").waitFor();
  assert.equal(await page.evaluate(() => document.querySelector("tsp-gallery").collection.items.length), 2);
}, { isEmpty: true, context: CLIPBOARD });

claim("the kept images' names are copied, and where the browser refuses, the page says what to do", async (page, context) => {
  await allScored(page);
  for (const file of ["fish.jpg", "cat.jpg"]) {
    await tile(page, file).focus();
    await page.keyboard.press("k");
  }
  const copy = async () => {
    await page.getByRole("button", { name: "Export" }).click();
    await page.getByRole("button", { name: "Copy the names of kept images" }).click();
  };
  await copy();
  await page.getByText("The names of 2 kept images are in the clipboard.").first().waitFor();
  const pasted = "cat.jpg\nfish.jpg\n"; // In the order of the list, one per line.
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), pasted);

  const session = await opened.browser.newBrowserCDPSession();
  const { targetInfos } = await session.send("Target.getTargets");
  const { browserContextId } = targetInfos.find(({ url }) => url === page.url());
  await session.send("Browser.setPermission", { origin: opened.served.origin, browserContextId, permission: { name: "clipboard-write" }, setting: "denied" });
  await page.keyboard.press("x");
  await copy();
  await page.getByText(/^The browser does not let this page write to the clipboard; save the names as a file instead\.$/).first().waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), pasted);
}, { context: CLIPBOARD });

claim("a dropped CSV table and dropped sidecars give prompts, and metadata does without them", async (page) => {
  const samples = JSON.parse(readFileSync(join(dist, "samples/samples.json"), "utf8"));
  const [a, b] = samples.filter(({ prompt }) => prompt);
  const own = samples.find(({ prompt }) => prompt === null);
  await drop(page, [
    { name: a.file, bytes: bytesOf(a.file) },
    { name: b.file, bytes: bytesOf(b.file) },
    { name: own.file, bytes: bytesOf(own.file) },
    { name: a.file.replace(/\.\w+$/, ".txt"), bytes: Buffer.from("a knight, at dusk\n") },
    { name: "prompts.csv", bytes: Buffer.from(`file,prompt\n${b.file},"red, ""very"" red"\nmissing.png,nothing\n`) },
  ]);
  await allScored(page);
  await shownScores(page, a.file, commandLine(a.file, "a knight, at dusk"));
  await shownScores(page, b.file, commandLine(b.file, 'red, "very" red'));
  await shownScores(page, own.file, commandLine(own.file, null));
  assert.match(await page.locator(".banners").textContent(), /missing\.png/);
}, { isEmpty: true });

claim("addresses are fetched, and one that another server refuses says so on its tile while the rest goes on", async (page) => {
  await page.getByRole("button", { name: "Addresses" }).click();
  await page.getByLabel("Addresses, one per line").fill(`${opened.served.elsewhere}/samples/coffee.jpg\n${opened.served.origin}/samples/cat.jpg`);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await allScored(page);
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", null));
  const why = await tile(page, "coffee.jpg").locator(".why").textContent();
  assert.match(why, /CORS|does not allow|allow/i);
}, { isEmpty: true, provoked: [/CORS policy/, /Failed to load resource/] });

claim("a text file named .png says so on its tile, and the next image is scored", async (page) => {
  await drop(page, [{ name: "text.png", bytes: Buffer.from("This is no picture.\n") }, { name: "cat.jpg", bytes: bytesOf("cat.jpg") }]);
  await allScored(page);
  assert.match(await tile(page, "text.png").locator(".why").textContent(), /image|format|decode/i);
  await shownScores(page, "cat.jpg", commandLine("cat.jpg", null));
}, { isEmpty: true });

/** Copies in another tab, then comes back to this one. */
async function copyElsewhere(context, copy, text) {
  const [page] = context.pages();
  const other = await context.newPage();
  await other.goto(`${opened.served.origin}/empty.html`);
  await other.bringToFront();
  await other.evaluate(copy, text);
  await other.close();
  await page.bringToFront();
}
