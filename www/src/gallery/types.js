// @ts-check
// types.js — what the parts of the gallery hand to each other. Types only.

/**
 * @typedef {import("../engine/protocol.js").Result} Result
 * @typedef {"perception" | "alignment"} TaskName
 */

/**
 * An image that a person brought: where it is, not what is in it. Ten thousand are listed without opening one.
 * @typedef {object} Entry
 * @property {string} name  file name
 * @property {string} path  from the dropped or picked folder on; the URL for one from the network
 * @property {(signal?: AbortSignal) => Promise<Blob>} blob  opens the file or fetches the URL, at each call anew
 * @property {string} [url]  for one from the network: it is fetched when its turn is near
 * @property {string} [server]  of the `url`
 * @property {File} [file]  where it is at hand without opening anything
 * @property {string} [prompt]  as a sample set gives it
 * @property {string} [promptSource]  "given" if absent
 * @property {Sidecar} [sidecar]  NAME.txt or NAME.json beside the image; read when it is needed
 *
 * @typedef {{ name: string, blob: () => Promise<Blob> }} Sidecar
 *
 * @typedef {object} Listing  what came out of a drop, a paste, a folder or a list of URLs
 * @property {Entry[]} entries
 * @property {Sidecar[]} tables  CSV files among them: `readTable` of prompts.js reads one
 * @property {string[]} notices  sentences for the person: what was passed over, and why
 */

/**
 * @typedef {null | "keep" | "reject" | 1 | 2 | 3 | 4 | 5} Mark
 * @typedef {"waiting" | "working" | "scored" | "failed"} Status
 *
 * @typedef {object} Item  one image of the collection. Only the collection writes to it.
 * @property {number} id  counts up; never used twice
 * @property {string} name
 * @property {string} path
 * @property {string | null} prompt  as typed, given or found; null while none is known. The image's own is known once it is scored.
 * @property {string | null} promptSource  "typed", "csv", "given", "sidecar", or the image's own field that held it
 * @property {Status} status
 * @property {boolean} isHeld  waiting, and stays so until `resume`: the work was cancelled
 * @property {string | null} error  a sentence; only with status "failed"
 * @property {Result | null} result  with another status than "scored" it is out of date: the prompt or the model changed since
 * @property {boolean} fromStore  scored on an earlier visit
 * @property {number | null} width  of the upright image, in pixels; known once it is scored
 * @property {number | null} height
 * @property {Mark} mark
 * @property {number | null} elapsedMs  what scoring took, on an earlier visit if `fromStore`
 * @property {Provenance | null} provenance  what scored it
 *
 * @typedef {object} Provenance
 * @property {string} device
 * @property {string} dtype
 * @property {string} modelHash
 * @property {string} preprocessing
 */

/**
 * @typedef {[low: number, high: number]} Range  both ends included; an end of the scale (0, 5) takes what lies beyond it
 *
 * @typedef {object} View  what is shown, and in which order
 * @property {"added" | "name" | "perception" | "alignment" | "mean"} sort
 * @property {boolean} descending  equal ones keep the order in which they were added; ones without a score come last either way
 * @property {Range | null} perception  a range hides what has no such score yet
 * @property {Range | null} alignment
 * @property {string} search  words that all occur in prompt or file name; case and accents do not matter
 * @property {Mark[]} marks  those to show, null for unmarked ones; empty: all
 * @property {Status | null} status  null: all
 *
 * @typedef {{ counts: number[], low: number, high: number, total: number }} Histogram  equal bins from low to high
 *
 * @typedef {object} Progress
 * @property {number} total
 * @property {number} scored
 * @property {number} failed
 * @property {number} waiting  the one in work among them; without the held ones
 * @property {number} held
 * @property {number} fromStore  of the scored ones
 * @property {number | null} msPerImage  moving median; null before the first image
 * @property {number | null} secondsLeft  null while unknown
 * @property {boolean} isPaused
 */

/**
 * What the collection asks of a scorer; that of `createScorer` and a test's stand-in have it.
 * @typedef {object} Scorer
 * @property {ScorerInfo} info
 * @property {(image: Blob, prompt: string | null, options: { signal?: AbortSignal, priority?: number | (() => number) }) =>
 *   Promise<Result>} score  rejects with an error that has a `code`
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
 * Prompts from a CSV file, not yet tied to images.
 * @typedef {object} Table
 * @property {string} name
 * @property {{ line: number, image: string, prompt: string }[]} rows
 * @property {string[]} notices
 *
 * @typedef {object} TableReport  what became of a table's rows
 * @property {number} applied  images that have their prompt from it now
 * @property {string[]} notices  sentences: rows that fit no image or several, with their lines
 */

/**
 * An item and what the collection alone needs to know of it.
 * @typedef {object} Work
 * @property {Item} item
 * @property {Entry} entry
 * @property {File | null} file  once it is at hand
 * @property {string | null} typed  prompts by where they come from, the strongest first
 * @property {string | null} tabled
 * @property {string | null} beside  in the sidecar file; "" says that there is none
 * @property {Promise<void> | null} reading  of the sidecar file
 * @property {Promise<string | null> | null} hashing  of the image's bytes; null where the browser cannot
 * @property {string | null} hash
 * @property {boolean} isMarked  on this visit, so that an earlier visit's mark does not count
 * @property {boolean} isTyped  the same for the prompt
 * @property {number} version  goes up when what is being done for it became pointless
 * @property {boolean} isEdited  the prompt was typed since it was scored: nothing goes before it
 * @property {Promise<void> | null} preparing
 * @property {boolean} isPrepared  looked up and not found in the store: ready to be scored
 * @property {string | null} key  in the store
 * @property {Blob | null} blob  fetched in advance
 */

export {};
