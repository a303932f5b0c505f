// @ts-check
// protocol.js — what the scorer takes and answers, and the messages between page and worker. Types only.

/**
 * @typedef {"auto" | "webgpu" | "cpu"} DeviceChoice
 *   "auto": WebGPU where a real graphics card passes the self check, else the CPU
 * @typedef {"perception" | "alignment"} TaskName
 *
 * @typedef {object} ModuleInfo  what the wasm module says of the model that it loaded
 * @property {"webgpu" | "cpu"} backend
 * @property {string} device  e.g. the graphics card's name
 * @property {string} model  name and short hash
 * @property {string | null} warning  e.g. "demo weights, trained on synthetic images"
 * @property {string[]} notes  what every result must say, the warning among it
 * @property {TaskName[]} tasks
 * @property {number} crops
 * @property {number} maxCrops  what every image has
 * @property {string} dtype
 *
 * @typedef {object} RunInfo  what the library knows beside it
 * @property {string} modelHash  SHA-256 of model.json, in hex; it names every shard's own hash, so it stands for all weights
 * @property {string} preprocessing  the id of the preprocessing, from model.json
 * @property {string | null} reason  why this is not WebGPU, or null
 * @property {boolean} fromCache  nothing of the weights had to be downloaded
 *
 * @typedef {ModuleInfo & RunInfo} Info  what was loaded, and where it runs
 *
 * @typedef {object} Word  one token of the prompt
 * @property {string} text
 * @property {number} start  offset into the prompt, in UTF-16 code units
 * @property {number} end
 * @property {number | null} wImage  cosine similarity, in [-1, 1]; higher is closer
 * @property {number | null} wPatches
 *
 * @typedef {object} Patch  a rectangle in pixels of the upright image, and its own level probabilities
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {number[]} p
 *
 * @typedef {object} Task  `score = alpha * qImage + (1 - alpha) * qPatches + qFine`, about 0 to 5; higher is better
 * @property {number} score
 * @property {number} alpha
 * @property {number | null} qImage  null: not part of this model
 * @property {number | null} qPatches
 * @property {number | null} qFine
 * @property {string[]} levels  from worst to best
 * @property {number[] | null} pImage  one probability a level
 * @property {number[] | null} pPatches
 * @property {number | null} wImage  mean over the words
 * @property {number | null} wPatches
 * @property {Word[]} words
 * @property {Patch[]} patches
 *
 * @typedef {object} ImageResult  what the model says of an image; in files the same names are in snake_case
 * @property {string | null} prompt
 * @property {string | null} promptSource  "argument", or the image's own field that held the prompt
 * @property {boolean} promptTruncated  the prompt, alone or within the texts around it, is longer than CLIP's 75 tokens
 * @property {number} width  of the upright image, in pixels
 * @property {number} height
 * @property {number} crops
 * @property {string} device
 * @property {string} model
 * @property {string | null} warning
 * @property {string[]} notes  e.g. "no prompt: alignment is not scored"; the warning is among them
 * @property {Task | null} perception
 * @property {Task | null} alignment  null without a prompt
 *
 * @typedef {ImageResult & { elapsedMs: number }} Result
 */

/**
 * For who uses the library.
 *
 * @typedef {string | URL | FileList | File[] | FileSystemDirectoryHandle} ModelSource
 *   the address of a bundle's model.json, or the bundle's files from the visitor's disk
 * @typedef {Blob | URL | string | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | ImageData | ImageBitmap | ArrayBuffer | ArrayBufferView<ArrayBuffer>} ImageSource
 *   a string is an address; bytes are those of an image file; of an `<img>` the file at its address is scored
 *
 * @typedef {object} ScorerOptions
 * @property {ModelSource} [model]  default: `model/model.json` beside the library
 * @property {DeviceChoice} [device]  default: "auto"
 * @property {number} [crops]  crops that a task looks at: 1 is quick, 15 is the paper's; default: what the model says
 * @property {(bytes: number) => Promise<boolean> | boolean} [confirmDownload]  asked before more than 20 MB are downloaded
 * @property {AbortSignal} [signal]  gives up loading
 * @property {(event: ScorerEvent) => void} [onEvent]  hears from the start, before there is a scorer to listen to
 * @property {string | URL} [files]  the folder with the library's worker and `wasm/`, where a bundler has not placed them
 *
 * @typedef {object} ScoreOptions
 * @property {AbortSignal} [signal]
 * @property {number | (() => number)} [priority]  higher first, default 0; a function is asked whenever the worker is free
 * @property {number} [crops]  crops that a task looks at in this call; default: the scorer's
 *
 * @typedef {ImageSource | { image: ImageSource, prompt?: string | null }} ScoreInput  one image of `scoreAll`
 *
 * @typedef {{ index: number, image: ImageSource, prompt: string | null }} ScoredInput  `index`: its place in the input, from 0
 * @typedef {ScoredInput & ({ result: Result, error: null } | { result: null, error: import("./errors.js").ScoreError })} ScoreOutput
 *   what `scoreAll` gives for one image
 *
 * @typedef {{ type: "progress", loaded: number, total: number, fromCache: boolean, bytesPerSecond: number | null, secondsLeft: number | null }} ProgressEvent
 *   bytes of the model; null: too early to say
 * @typedef {{ type: "state", state: "loading" | "ready" | "recovering" | "failed", message: string }} StateEvent
 * @typedef {{ type: "notice", message: string }} NoticeEvent  something to know that stops nothing
 * @typedef {{ type: "scored", result: Result }} ScoredEvent
 * @typedef {ProgressEvent | StateEvent | NoticeEvent | ScoredEvent} ScorerEvent
 *
 * @typedef {"argument" | "image" | "model" | "device" | "network" | "not-ready" | "closed"} ScoreErrorCode
 *   argument: the call is wrong; image: this image only; model: the bundle is wrong; device: nothing can compute here; network:
 *   model or image could not be fetched; not-ready: the model is not loaded yet; closed: the scorer was closed
 * @typedef {ScoreErrorCode | "aborted"} FailureCode  what a worker reports; aborted: the download was declined
 */

/**
 * Page to worker.
 * @typedef {{ glue: string, wasm: string }} ModuleFiles
 * @typedef {{ webgpu: ModuleFiles, cpu: ModuleFiles, "cpu-relaxed": ModuleFiles }} Modules  one of them is loaded
 * @typedef {object} StartRequest
 * @property {"start"} type
 * @property {DeviceChoice} device
 * @property {string | null} reason  why the CPU was chosen although the visitor asked for no device
 * @property {number | null} crops
 * @property {string | File[] | FileSystemDirectoryHandle} model
 * @property {Modules} modules
 * @property {Map<string, Blob>} kept  shards by hash that an earlier worker could not put into the cache
 * @property {boolean} mayAsk  the page answers {@link Confirm}; if not, nothing is asked
 *
 * @typedef {{ type: "score", id: number, image: Blob, prompt: string | null, crops: number | null }} ScoreRequest
 *   `prompt` null: the image's own metadata is read; `crops` null: as many as the model says
 * @typedef {{ type: "confirmed", isWanted: boolean }} Confirmed
 * @typedef {StartRequest | ScoreRequest | Confirmed} Request
 */

/**
 * Worker to page.
 * @typedef {{ type: "starting", backend: "webgpu" | "cpu" }} Starting
 * @typedef {{ type: "confirm", bytes: number }} Confirm
 * @typedef {{ type: "kept", hash: string, blob: Blob }} Kept  the cache had no room for this shard; a later worker may need it
 * @typedef {{ type: "ready", info: Info }} Ready
 * @typedef {{ type: "result", id: number, result: Result }} Scored
 * @typedef {{ type: "error", id: number, code: FailureCode, message: string }} Failed  this image only; the next one may score
 * @typedef {{ type: "fatal", code: FailureCode, message: string }} Fatal  the worker must be replaced
 * @typedef {Starting | ProgressEvent | NoticeEvent | Confirm | Kept | Ready | Scored | Failed | Fatal} Answer
 */

/**
 * The wasm module, the same for both backends.
 * @typedef {object} ModuleScorer
 * @property {() => ModuleInfo} info
 * @property {(image: Uint8Array, prompt: string | null, crops?: number) => Promise<object>} score  names in snake_case
 *
 * @typedef {object} ScorerModule
 * @property {(options: { module_or_path: string }) => Promise<unknown>} default
 * @property {{
 *   selfCheck(): Promise<void>,
 *   load(read: (name: string) => Promise<Uint8Array>, options: { isHashed: boolean, crops?: number }): Promise<ModuleScorer>,
 * }} Scorer
 */

export {};
