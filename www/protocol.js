// @ts-check
// protocol.js — message shapes between page and worker, and the numbers the scorer answers with. Types only.

/**
 * @typedef {"auto" | "webgpu" | "cpu"} DeviceChoice  `?device=` in the page's address
 *
 * @typedef {object} Info  what was loaded, and where it runs
 * @property {"webgpu" | "cpu"} backend
 * @property {string} device
 * @property {string} model  name and short hash
 * @property {string | null} warning  e.g. "untrained demo weights"
 * @property {string[]} notes  what every result must say, the warning among it
 * @property {("perception" | "alignment")[]} tasks
 * @property {number} crops
 * @property {string} dtype
 *
 * @typedef {object} Word  one token of the prompt
 * @property {string} text
 * @property {number} start  offset into the prompt, in UTF-16 code units
 * @property {number} end
 * @property {number | null} w_image  cosine similarity, in [-1, 1]; higher is closer
 * @property {number | null} w_patches
 *
 * @typedef {object} Patch  a rectangle in pixels of the upright image, and its own level probabilities
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {number[]} p
 *
 * @typedef {object} Task  `score = alpha * q_image + (1 - alpha) * q_patches + q_fine`, about 0 to 5; higher is better
 * @property {number} score
 * @property {number} alpha
 * @property {number | null} q_image  null: not part of this model
 * @property {number | null} q_patches
 * @property {number | null} q_fine
 * @property {string[]} levels  from worst to best
 * @property {number[] | null} p_image  one probability a level
 * @property {number[] | null} p_patches
 * @property {number | null} w_image  mean over the words
 * @property {number | null} w_patches
 * @property {Word[]} words
 * @property {Patch[]} patches
 *
 * @typedef {object} Result
 * @property {string | null} prompt
 * @property {string | null} prompt_source  "argument", or the image's own field that held the prompt
 * @property {boolean} prompt_truncated  the prompt, alone or within the texts around it, is longer than CLIP's 75 tokens
 * @property {number} width  of the upright image, in pixels
 * @property {number} height
 * @property {number} crops
 * @property {string} device
 * @property {string} model
 * @property {string | null} warning
 * @property {string[]} notes  e.g. "no prompt: alignment is not scored"; the warning is among them
 * @property {Task | null} perception
 * @property {Task | null} alignment  null without a prompt
 */

/**
 * Page to worker.
 * @typedef {{ type: "start", device: DeviceChoice, reason: string | null }} StartRequest
 *   `reason`: why the CPU was chosen although the visitor asked for no device
 * @typedef {{ type: "score", id: number, image: Uint8Array<ArrayBuffer>, prompt: string | null }} ScoreRequest
 *   `prompt` null: the image's own metadata is read; it is never blank
 * @typedef {StartRequest | ScoreRequest} Request
 */

/**
 * Worker to page.
 * @typedef {{ type: "starting", backend: "webgpu" | "cpu" }} Starting
 * @typedef {{ type: "progress", loaded: number, total: number }} Progress  bytes of the model
 * @typedef {{ type: "ready", info: Info, note: string | null }} Ready  `note`: why this is not WebGPU
 * @typedef {{ type: "result", id: number, result: Result, elapsed_ms: number }} Scored
 * @typedef {{ type: "error", id: number, error: string }} Failed  this image only; the next one may score
 * @typedef {{ type: "fatal", id: number | null, error: string }} Fatal  the worker must be replaced
 * @typedef {Starting | Progress | Ready | Scored | Failed | Fatal} Answer
 */

/**
 * The wasm module, the same for both backends.
 * @typedef {object} Scorer
 * @property {() => Info} info
 * @property {(image: Uint8Array, prompt: string | null) => Promise<Result>} score
 *
 * @typedef {object} ScorerModule
 * @property {() => Promise<unknown>} default
 * @property {{
 *   selfCheck(): Promise<void>,
 *   load(source: string, options: { onProgress: (loaded: number, total: number) => void }): Promise<Scorer>,
 * }} Scorer
 */

export {};
