// @ts-check
// types.js — the types of the gallery.

/**
 * @typedef {import("../engine/protocol.js").Result} Result
 * @typedef {"perception" | "alignment"} TaskName
 */

/**
 * The place of an image. Files are listed without being opened, so that a folder can have thousands.
 * @typedef {object} Entry
 * @property {string} name  file name
 * @property {string} path  relative to the parent of the dropped or chosen folder; for an image from the network, its URL
 * @property {(signal?: AbortSignal) => Promise<Blob>} blob  opens the file or fetches the URL, at each call
 * @property {string} [url]  for an image from the network, which is fetched shortly before it is scored
 * @property {string} [server]  of the `url`
 * @property {File} [file]  if it is known without opening it
 * @property {string} [prompt]  from a list of samples
 * @property {string} [promptSource]  default: "given"
 * @property {Sidecar} [sidecar]  NAME.txt or NAME.json in the folder of the image
 *
 * @typedef {{ name: string, blob: () => Promise<Blob> }} Sidecar
 *
 * @typedef {object} Listing  the result of a drop, a paste, a chosen folder or a list of URLs
 * @property {Entry[]} entries
 * @property {Sidecar[]} tables  CSV files; `readTable` of prompts.js reads one
 * @property {string[]} notices  messages for the user: which files were skipped, and why
 */

/**
 * @typedef {null | "keep" | "reject" | 1 | 2 | 3 | 4 | 5} Mark
 * @typedef {"waiting" | "working" | "scored" | "failed"} Status
 *
 * @typedef {object} Item  an image of the collection. Only `Work` writes to it
 * @property {number} id  increases; never used twice
 * @property {string} name
 * @property {string} path
 * @property {string | null} prompt  null if none is known. A prompt in the image's metadata is known once the image is scored
 * @property {string | null} promptSource  "typed", "csv", "given", "sidecar", or the metadata field that held the prompt
 * @property {Status} status
 * @property {boolean} isHeld  whether a waiting image is not scored until `resume`
 * @property {string | null} error  a message; only with status "failed"
 * @property {Result | null} result  with any other status than "scored", it is from before a change of the prompt or the model
 * @property {boolean} fromStore  scored on an earlier visit
 * @property {number | null} width  of the upright image, in pixels; known once it is scored
 * @property {number | null} height
 * @property {Mark} mark
 * @property {number | null} elapsedMs  the time of the scoring
 * @property {Provenance | null} provenance  device and model of the scoring
 *
 * @typedef {object} Provenance
 * @property {string} device
 * @property {string} dtype
 * @property {string} modelHash
 * @property {string} preprocessing
 */

/**
 * @typedef {[low: number, high: number]} Range  both ends are included. An end of the scale (0 or 5) includes all scores beyond it
 *
 * @typedef {object} View  which images are shown, and in which order
 * @property {"added" | "name" | "perception" | "alignment" | "mean"} sort
 * @property {boolean} descending  equal images keep the order in which they were added. Images without a score always come last
 * @property {Range | null} perception  a range hides images without this score
 * @property {Range | null} alignment
 * @property {string} search  words that must all occur in prompt or file name; case and accents are ignored
 * @property {Mark[]} marks  the marks to show, with null for unmarked images; empty: all
 * @property {Status | null} status  null: all
 *
 * @typedef {{ counts: number[], low: number, high: number, total: number }} Histogram  with bins of equal width from low to high
 *
 * @typedef {object} Progress
 * @property {number} total
 * @property {number} scored
 * @property {number} failed
 * @property {number} waiting  with the image in progress, without the held ones
 * @property {number} held
 * @property {number} fromStore  scored images with a result of an earlier visit
 * @property {number | null} msPerImage  a moving median; null before the first image
 * @property {number | null} secondsLeft  null if it is not known yet
 * @property {boolean} isPaused
 */

/**
 * The part of a scorer that the collection uses.
 * @typedef {object} Scorer
 * @property {ScorerInfo} info
 * @property {Pick<import("../engine/queue.js").Queue, "add" | "remove" | "wake">} queue  pulls the images; its errors have a `code`
 * @property {EventTarget["addEventListener"]} addEventListener
 * @property {EventTarget["removeEventListener"]} removeEventListener
 *
 * @typedef {object} ScorerInfo
 * @property {string} device
 * @property {string} dtype
 * @property {number} crops
 * @property {string} modelHash
 * @property {string} preprocessing
 */

/**
 * Prompts from a CSV file.
 * @typedef {object} Table
 * @property {string} name
 * @property {{ line: number, image: string, prompt: string }[]} rows
 * @property {string[]} notices
 *
 * @typedef {object} TableReport  the result of applying a table
 * @property {number} applied  the number of images that got a prompt
 * @property {string[]} notices  messages with the lines of rows that fit no image or several
 */

export {};
