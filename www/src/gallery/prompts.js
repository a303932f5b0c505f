// @ts-check
// prompts.js — prompts that come beside the images: CSV tables and sidecar files.
/** A CSV file with a header: a column image, name, file or path, and a column prompt. Rejects with a sentence if it is none. @param {import("./types.js").Sidecar} file @returns {Promise<import("./types.js").Table>} */
export async function readTable(file) { throw new Error(`not yet: ${file}`); }
