// @ts-check
// tasks.js — the titles of the two scores, and the question that each answers.

/** @typedef {"perception" | "alignment"} TaskName */

/** @type {Record<TaskName, { title: string, asks: string }>} */
export const TASKS = {
  perception: { title: "Perception", asks: "how good it looks" },
  alignment: { title: "Alignment", asks: "how well it shows its prompt" },
};
export const TASK_NAMES = /** @type {TaskName[]} */ (Object.keys(TASKS));
