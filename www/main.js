// @ts-check
// main.js — wiring: images and prompts in, answers on the page.

import { Client } from "./client.js";
import { drawPatches } from "./overlay.js";
import { page } from "./page.js";
import { element, number, parts, scores, TASK_NAMES } from "./view.js";

/** The image on the stage. @type {File | null} */
let image = null;
/** Whether the prompt is the visitor's or a sample's; if not, the image's own metadata is asked. */
let hasPrompt = false;
/** The newest request; answers to older ones are not shown. */
let latest = 0;
/** @type {import("./protocol.js").Result | null} */
let result = null;
/** @type {import("./protocol.js").Info | null} */
let info = null;

const asked = new URLSearchParams(location.search).get("device");
const client = new Client(asked === "cpu" || asked === "webgpu" ? asked : "auto", hear);

/** @param {import("./protocol.js").Answer | import("./client.js").Replaced} answer */
function hear(answer) {
  switch (answer.type) {
    case "starting":
      say(answer.backend === "webgpu" ? "Checking the graphics card …" : "Starting on the CPU …");
      break;
    case "progress":
      if (page.progress.hidden) say("Loading the model …");
      page.progress.hidden = answer.loaded >= answer.total;
      page.bar.value = answer.loaded / answer.total;
      page.loaded.textContent = `${megabytes(answer.loaded)} of ${megabytes(answer.total)} MB`;
      break;
    case "ready":
      page.progress.hidden = true;
      info = answer.info;
      showInfo(info, answer.note);
      if (isBusy()) say(`Scoring ${image?.name} …`);
      else say(image ? "Ready." : "Ready. Choose an image.");
      if (!result) page.scores.replaceChildren(...scores(null, info.tasks));
      break;
    case "result":
      if (answer.id === latest) showResult(answer.result, answer.elapsed_ms);
      break;
    case "error":
      if (answer.id === latest) showError(answer.error);
      break;
    case "restarting":
      say("The scorer stopped and starts again …");
      break;
    case "stopped":
      showError(answer.error);
      page.progress.hidden = true;
      break;
  }
}

/**
 * Puts an image on the stage and scores it.
 * @param {File} file
 * @param {string | null} prompt  a sample's own prompt
 */
function choose(file, prompt) {
  // A prompt typed before the first image belongs to it; later ones belong to the image before.
  if (image !== null || prompt !== null) setPrompt(prompt ?? "", prompt !== null);
  image = file;
  URL.revokeObjectURL(page.image.src);
  page.image.src = URL.createObjectURL(file);
  page.image.alt = file.name;
  page.name.textContent = file.name;
  page.drop.hidden = page.noPreview.hidden = true;
  page.frame.hidden = page.another.hidden = page.submit.disabled = false;
  showPatches(null);
  score();
}

async function score() {
  if (image === null) return;
  const id = ++latest;
  setBusy(true);
  page.error.hidden = true;
  if (info) say(`Scoring ${image.name} …`);
  try {
    const bytes = new Uint8Array(await image.arrayBuffer());
    if (id === latest) client.score({ id, image: bytes, prompt: hasPrompt ? page.prompt.value.trim() : null });
  } catch (error) {
    if (id === latest) showError(`the file could not be read: ${error}`);
  }
}

/**
 * @param {import("./protocol.js").Result} scored
 * @param {number} elapsed_ms
 */
function showResult(scored, elapsed_ms) {
  result = scored;
  setBusy(false);
  page.error.hidden = true; // The error of something else may have come since the image was sent.
  if (!hasPrompt && scored.prompt_source !== "argument") setPrompt(scored.prompt ?? "", false);
  page.promptNote.textContent = promptNote(scored);
  showNotes(scored);
  page.scores.replaceChildren(...scores(scored, info?.tasks ?? TASK_NAMES));
  page.parts.replaceChildren(...parts(scored));
  showPatches(scored);
  const said = TASK_NAMES.flatMap((name) => scored[name] ? [`${name} ${scored[name].score.toFixed(2)}`] : []);
  say(`Scored ${image?.name} in ${(elapsed_ms / 1000).toFixed(1)} s`, `: ${said.join(", ")} of 5`);
}

/** @param {import("./protocol.js").Result} scored */
function promptNote({ prompt, prompt_source, prompt_truncated }) {
  if (!prompt) return `No prompt in the image${info?.tasks.includes("alignment") ? ": type the text it was made from to see alignment" : ""}.`;
  const from = prompt_source === "argument" ? "Change it and press Enter to score again." : `Read from the image (${prompt_source}).`;
  return prompt_truncated
    ? `${from} By itself or within the texts around it, it is longer than the 75 tokens that CLIP reads; what is beyond does not count.`
    : from;
}

/** @param {string} message */
function showError(message) {
  setBusy(false);
  result = null;
  page.error.hidden = false;
  page.error.textContent = sentence(message);
  page.scores.replaceChildren(...scores(null, info?.tasks ?? TASK_NAMES));
  page.parts.replaceChildren();
  showPatches(null);
  say("");
}

/**
 * @param {import("./protocol.js").Info} loaded
 * @param {string | null} note
 */
function showInfo({ backend, device, model, dtype, crops, warning, notes }, note) {
  showNotes({ warning, notes });
  page.warning.hidden = warning === null;
  page.warning.textContent = warning?.startsWith("untrained") ? `${warning}: the numbers mean nothing yet` : warning;
  page.device.replaceChildren(
    element("span", { className: "chip" }, backend === "webgpu" ? "WebGPU" : "CPU"),
    ` ${device} · ${model} · ${dtype} · ${crops} patches`,
    ...(note === null ? [] : [element("br", {}), sentence(`why not WebGPU: ${note}`)]));
}

/** What a result must say beside the warning, which has its own place. @param {{ warning: string | null, notes: string[] }} said */
function showNotes({ warning, notes }) {
  const others = notes.filter((note) => note !== warning);
  page.notes.hidden = others.length === 0;
  page.notes.textContent = others.map(sentence).join(" ");
}

/** The toggle for the patches, and what it shows. @param {import("./protocol.js").Result | null} scored */
function showPatches(scored) {
  const radios = [...page.patches.querySelectorAll("input")];
  for (const radio of radios) {
    radio.disabled = radio.value !== "" && !taskOf(scored, radio.value)?.patches.length;
    if (radio.disabled && radio.checked && scored) radios[0].checked = true;
  }
  page.patches.hidden = scored === null || radios.every(({ value, disabled }) => value === "" || disabled);
  const name = radios.find(({ checked }) => checked)?.value ?? "";
  const task = taskOf(scored, name);
  page.overlay.replaceChildren();
  page.patchScale.hidden = !task;
  if (!scored || !task) return;
  const { low, high } = drawPatches(page.overlay, scored, task.patches);
  page.patchScale.replaceChildren(
    element("span", {}, "lowest ", number(low, `${name}.patches.lowest`, 2)),
    element("i", {}),
    element("span", {}, "highest ", number(high, `${name}.patches.highest`, 2), " of 5"));
}

/**
 * @param {import("./protocol.js").Result | null} scored
 * @param {string} name
 */
function taskOf(scored, name) {
  const known = TASK_NAMES.find((task) => task === name);
  return known && scored ? scored[known] : null;
}

/**
 * @param {string} text
 * @param {boolean} isGiven
 */
function setPrompt(text, isGiven) {
  page.prompt.value = text;
  hasPrompt = isGiven;
}

/** @param {boolean} busy */
function setBusy(busy) {
  page.busy.hidden = !busy;
  page.results.ariaBusy = String(busy);
}

function isBusy() {
  return !page.busy.hidden;
}

/**
 * @param {string} text
 * @param {string} unseen  for those who do not see the rest of the page
 */
function say(text, unseen = "") {
  page.status.replaceChildren(text, ...(unseen ? [element("span", { className: "hidden" }, unseen)] : []));
}

/** @param {string} message */
function sentence(message) {
  return `${message.charAt(0).toUpperCase()}${message.slice(1).replace(/\.$/, "")}.`;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(0);
}

/** @param {DataTransfer | null} transfer */
function chooseFrom(transfer) {
  const file = transfer?.files[0];
  if (file) choose(file, null);
  return file !== undefined;
}

page.file.onchange = () => {
  if (page.file.files?.[0]) choose(page.file.files[0], null);
  page.file.value = ""; // The same file may be chosen again.
};
page.image.onerror = () => {
  page.frame.hidden = true;
  page.noPreview.hidden = false;
};
page.prompt.oninput = () => {
  hasPrompt = page.prompt.value.trim() !== "";
};
page.prompt.onkeydown = (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  score();
};
page.ask.onsubmit = (event) => {
  event.preventDefault();
  score();
};
page.patches.onchange = () => showPatches(result);

document.addEventListener("dragover", (event) => {
  event.preventDefault();
  page.stage.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) page.stage.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  page.stage.classList.remove("over");
  if (!chooseFrom(event.dataTransfer)) showError("that was no file: save the image first, then drop it here");
});
document.addEventListener("paste", (event) => {
  if (chooseFrom(event.clipboardData)) event.preventDefault();
});

async function showSamples() {
  const answer = await fetch("samples/samples.json");
  /** @type {{ file: string, prompt: string | null }[]} */
  const samples = await answer.json();
  page.samples.replaceChildren(...samples.map(({ file, prompt }) => {
    const url = `samples/${encodeURIComponent(file)}`;
    const name = file.replace(/\.\w+$/, "").replaceAll("_", " ");
    const button = element("button", { type: "button", title: prompt ?? "its prompt is in its metadata" },
      element("img", { src: url, alt: "", loading: "lazy" }), element("span", {}, name));
    button.onclick = async () => {
      try {
        choose(new File([await (await fetch(url)).blob()], file), prompt);
      } catch (error) {
        showError(`the sample could not be loaded: ${error}`);
      }
    };
    return button;
  }));
  page.samples.hidden = samples.length === 0;
}

page.scores.replaceChildren(...scores(null, TASK_NAMES));
showSamples();
