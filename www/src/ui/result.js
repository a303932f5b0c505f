// @ts-check
// result.js — a result as page elements: the two scores and their parts. Each number has its full precision in `data-value`. Its
// `data-key` is the path in the result, or a formula of such paths.

import { SCALE } from "../gallery/view.js";
import { TASK_NAMES, TASKS } from "./tasks.js";

/**
 * @typedef {import("../engine/protocol.js").Result} Result
 * @typedef {import("../engine/protocol.js").Task} Task
 * @typedef {import("./tasks.js").TaskName} TaskName
 */

/**
 * The two scores. Without a result, they are empty.
 * @param {Result | null} result
 * @param {TaskName[]} inModel
 */
export function scores(result, inModel) {
  return TASK_NAMES.map((name) => {
    const { title, asks } = TASKS[name];
    const task = result?.[name] ?? null;
    const missing = !inModel.includes(name) ? "not in this model" : result && name === "alignment" ? "needs a prompt" : asks;
    return element("article", { className: `score ${name}` },
      element("h2", {}, title),
      element("p", { className: "big" },
        task ? number(task.score, `${name}.score`, 2) : element("span", { className: "none" }, "–"),
        element("span", { className: "of" }, ` / ${SCALE}`)),
      scaleBar(task),
      element("p", { className: "note" }, task ? asks : missing));
  });
}

/** A bar from 0 to 5 that is filled by the parts of the score. @param {Task | null} task */
function scaleBar(task) {
  const bar = element("div", { className: "scale", ariaHidden: "true" });
  const terms = task ? termsOf(task).filter(({ value }) => value !== 0) : [];
  // A negative part cannot be stacked, so only the sum is drawn then.
  const shown = terms.every(({ value }) => value > 0) ? terms : [{ part: "sum", value: Math.max(0, task?.score ?? 0) }];
  for (const { part, value } of shown) {
    const segment = element("i", { className: part });
    segment.style.width = `${(value / SCALE) * 100}%`;
    bar.append(segment);
  }
  return bar;
}

/** A card for each task with the parts of its score. @param {Result} result */
export function parts(result) {
  return TASK_NAMES.flatMap((name) => {
    const task = result[name];
    if (!task) return [];
    return element("article", { className: "card" },
      element("h2", {}, `${TASKS[name].title}, part by part`),
      sum(task, name),
      levels(task, name),
      words(task, name, result.prompt ?? ""));
  });
}

/** The weighted terms of the score (Eq. 7). @param {Task} task */
function termsOf({ alpha, qImage, qPatches, qFine }) {
  return [
    { part: "image", label: "Whole image", key: "qImage", weightKey: "alpha", weight: alpha, q: qImage },
    { part: "patches", label: "Crops", key: "qPatches", weightKey: "(1-alpha)", weight: 1 - alpha, q: qPatches },
    { part: "words", label: "Words", key: "qFine", weightKey: "", weight: null, q: qFine },
  ].flatMap(({ q, ...term }) => (q === null ? [] : [{ ...term, q, value: (term.weight ?? 1) * q }]));
}

/**
 * @param {Task} task
 * @param {TaskName} name
 */
function sum(task, name) {
  return element("table", { className: "sum" },
    element("caption", {}, "Parts of the score"),
    element("tbody", {},
      ...termsOf(task).map(({ part, label, key, weightKey, weight, q, value }) =>
        element("tr", { className: weight === 0 ? "unused" : "" },
          element("th", { scope: "row" }, element("i", { className: `dot ${part}` }), label),
          weight === null
            ? element("td", {})
            : element("td", {}, number(weight, `${name}.${weightKey}`, 2), " × ", number(q, `${name}.${key}`, 3)),
          element("td", {}, number(value, weight === null ? `${name}.${key}` : `${name}.${weightKey}*${key}`, 3))))),
    element("tfoot", {},
      element("tr", {}, element("th", { scope: "row" }, "Score"), element("td", {}), element("td", {}, number(task.score, `${name}.score`, 3)))));
}

/**
 * @param {Task} task
 * @param {TaskName} name
 */
function levels(task, name) {
  const columns = /** @type {const} */ ([
    { part: "image", label: "Whole image", key: "pImage", p: task.pImage },
    { part: "patches", label: "Crops", key: "pPatches", p: task.pPatches },
  ]);
  const shown = columns.flatMap(({ p, ...column }) => (p ? [{ ...column, p }] : []));
  return element("table", { className: "levels" },
    element("caption", {}, "Probability of each level"),
    element("thead", {},
      element("tr", {}, element("td", {}), ...shown.map(({ label }) => element("th", { scope: "col" }, label)))),
    element("tbody", {},
      ...task.levels.map((level, index) =>
        element("tr", {},
          element("th", { scope: "row" }, level),
          ...shown.map(({ part, key, p }) => {
            const bar = element("i", { className: part });
            bar.style.width = `${p[index] * 100}%`;
            const percent = number(p[index], `${name}.${key}.${index}`, 0, 100);
            percent.append(" %");
            return element("td", {}, element("span", { className: "level" }, element("span", { className: "track" }, bar), percent));
          })))));
}

/**
 * The prompt with words coloured by their similarity, and a table of the similarities.
 * @param {Task} task
 * @param {TaskName} name
 * @param {string} prompt
 */
function words(task, name, prompt) {
  if (task.words.length === 0) return "";
  const closeness = task.words.map(({ wImage, wPatches }) => meanOf(wImage, wPatches));
  const [low, high] = [Math.min(...closeness), Math.max(...closeness)];

  const text = element("p", { className: "prompt" });
  let end = 0;
  task.words.forEach((word, index) => {
    text.append(prompt.slice(end, word.start));
    const span = element("span", { title: `image ${fixed(word.wImage)}, crops ${fixed(word.wPatches)}` }, prompt.slice(word.start, word.end));
    // Colours are relative to this prompt, because the similarities differ only little.
    span.style.setProperty("--closeness", String(high > low ? (closeness[index] - low) / (high - low) : 0.5));
    text.append(span);
    end = word.end;
  });
  text.append(prompt.slice(end));

  return element("div", { className: "words" },
    element("h3", {}, "Similarity of each word with the image"),
    text,
    element("p", { className: "note legend" },
      element("span", {}, "least ", number(low, `${name}.words.least`, 3)),
      element("i", { className: "ramp" }),
      element("span", {}, "most ", number(high, `${name}.words.most`, 3))),
    element("details", {},
      element("summary", {}, "Each word in numbers"),
      element("table", {},
        element("thead", {}, element("tr", {}, ...["Word", "Image", "Crops"].map((label) => element("th", { scope: "col" }, label)))),
        element("tbody", {},
          ...task.words.map((word, index) => similarityRow(word.text, word, `${name}.words.${index}`))),
        element("tfoot", {}, similarityRow("Mean", task, name)))));
}

/**
 * @param {string} label
 * @param {{ wImage: number | null, wPatches: number | null }} similarity
 * @param {string} key
 */
function similarityRow(label, { wImage, wPatches }, key) {
  return element("tr", {},
    element("th", { scope: "row" }, label),
    element("td", {}, wImage === null ? "–" : number(wImage, `${key}.wImage`, 3)),
    element("td", {}, wPatches === null ? "–" : number(wPatches, `${key}.wPatches`, 3)));
}

/**
 * @param {number | null} a
 * @param {number | null} b
 */
function meanOf(a, b) {
  return ((a ?? b ?? 0) + (b ?? a ?? 0)) / 2;
}

/** @param {number | null} value */
function fixed(value) {
  return value === null ? "not used" : value.toFixed(3);
}

/**
 * @param {number} value
 * @param {string} key
 * @param {number} digits
 * @param {number} factor  100 for percent
 */
export function number(value, key, digits, factor = 1) {
  const data = element("data", { value: String(value) }, (value * factor).toFixed(digits));
  data.dataset.key = key;
  data.dataset.value = String(value);
  return data;
}

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} properties
 * @param {(Node | string)[]} children
 */
export function element(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}
