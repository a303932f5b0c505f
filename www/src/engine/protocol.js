// @ts-check
// protocol.js — the types of the scorer's arguments and results, and of the messages between page and worker.

/**
 * @typedef {"auto" | "webgpu" | "cpu"} DeviceChoice
 *   "auto": WebGPU if a real graphics card passes the self-check, and else the CPU
 * @typedef {"perception" | "alignment"} TaskName
 *
 * @typedef {object} ModuleInfo  the wasm module's description of the loaded model
 * @property {"webgpu" | "cpu"} backend
 * @property {string} device  the name of the device, such as that of the graphics card
 * @property {string} model  name and short hash of the model
 * @property {string | null} warning  a warning about the model, such as "demo weights, trained on synthetic images"
 * @property {string[]} notes  the notes that each result has, with the warning among them
 * @property {TaskName[]} tasks
 * @property {number} crops  the number of crops of each task
 * @property {number} maxCrops  the number of crop positions in the smallest image
 * @property {string} dtype  the number type of the weights
 *
 * @typedef {object} RunInfo  what the library adds to the module's description
 * @property {string} modelHash  SHA-256 of model.json, in hex. model.json holds the hashes of all shards, so this hash identifies all weights
 * @property {string} preprocessing  the name of the preprocessing in model.json
 * @property {string | null} reason  why WebGPU is not used; null if it is used, or if the caller chose the CPU
 * @property {boolean} fromCache  all weights came from the browser's cache
 *
 * @typedef {ModuleInfo & RunInfo} Info  the loaded model and its device
 *
 * @typedef {object} Word  one token of the prompt
 * @property {string} text
 * @property {number} start  the start in the prompt, in UTF-16 code units
 * @property {number} end  the end in the prompt, exclusive
 * @property {number | null} wImage  cosine similarity with the resized image, in [-1, 1]; higher is closer
 * @property {number | null} wPatches  mean cosine similarity with the crops
 *
 * @typedef {object} Patch  a crop: a rectangle in pixels of the upright image, and its level probabilities
 * @property {number} x
 * @property {number} y
 * @property {number} width
 * @property {number} height
 * @property {number[]} p  one probability for each level
 *
 * @typedef {object} Task  `score = alpha * qImage + (1 - alpha) * qPatches + qFine`, about 0 to 5; higher is better
 * @property {number} score
 * @property {number} alpha
 * @property {number | null} qImage  the coarse quality of the resized image; null: not part of this model
 * @property {number | null} qPatches  the coarse quality of the crops
 * @property {number | null} qFine  the fine quality
 * @property {string[]} levels  from worst to best
 * @property {number[] | null} pImage  one probability for each level
 * @property {number[] | null} pPatches
 * @property {number | null} wImage  the mean over the words
 * @property {number | null} wPatches
 * @property {Word[]} words
 * @property {Patch[]} patches
 *
 * @typedef {object} ImageResult  the result for an image. In files, the same names are in snake_case
 * @property {string | null} prompt
 * @property {string | null} promptSource  "argument", or the metadata field that held the prompt
 * @property {boolean} promptTruncated  the prompt, or a level text that contains it, is longer than CLIP's 75 tokens
 * @property {number} width  of the upright image, in pixels
 * @property {number} height
 * @property {number} crops
 * @property {string} device
 * @property {string} model
 * @property {string | null} warning
 * @property {string[]} notes  notes such as "no prompt: alignment is not scored", with the warning among them
 * @property {Task | null} perception
 * @property {Task | null} alignment  null without a prompt
 *
 * @typedef {ImageResult & { elapsedMs: number }} Result  `elapsedMs`: the time that the image took, without the time that it shared with the image before it
 */

/**
 * For users of the library.
 *
 * @typedef {string | URL | FileList | File[] | FileSystemDirectoryHandle} ModelSource
 *   the address of a bundle's model.json, `hf:ORG/NAME[@REVISION]` for one on the Hugging Face Hub, or the files of a bundle on
 *   the user's disk
 * @typedef {Blob | URL | string | HTMLImageElement | HTMLCanvasElement | OffscreenCanvas | ImageData | ImageBitmap | ArrayBuffer | ArrayBufferView<ArrayBuffer>} ImageSource
 *   A string is an address. Bytes are those of an image file. For an `<img>`, the file at its address is scored
 *
 * @typedef {object} ScorerOptions
 * @property {ModelSource} [model]  default: `model/model.json` in the folder of the library
 * @property {DeviceChoice} [device]  default: "auto"
 * @property {number} [crops]  the number of crops of each task: 1 is fastest, the paper uses 15; default: that of the model
 * @property {(bytes: number) => Promise<boolean> | boolean} [confirmDownload]  called before a download of more than 20 MB; false declines it
 * @property {AbortSignal} [signal]  cancels the loading
 * @property {(event: ScorerEvent) => void} [onEvent]  called for each event, from the start of the loading on
 * @property {string | URL} [files]  the folder that holds the library's worker and `wasm/`, if no bundler places them
 *
 * @typedef {object} ScoreOptions
 * @property {AbortSignal} [signal]
 * @property {number | (() => number)} [priority]  higher priorities are scored first; default: 0. A function is called each time the worker is free
 * @property {number} [crops]  the number of crops of each task in this call; default: that of the scorer
 *
 * @typedef {ImageSource | { image: ImageSource, prompt?: string | null }} ScoreInput  one image of `scoreAll`
 *
 * @typedef {{ index: number, image: ImageSource, prompt: string | null }} ScoredInput  `index`: the place in the input, from 0
 * @typedef {ScoredInput & ({ result: Result, error: null } | { result: null, error: import("../common/errors.js").ScoreError })} ScoreOutput
 *   what `scoreAll` gives for one image
 *
 * @typedef {import("../model/meter.js").ProgressEvent} ProgressEvent
 * @typedef {{ type: "state", state: "loading" | "ready" | "recovering" | "failed", message: string }} StateEvent
 * @typedef {import("../model/shards.js").NoticeEvent} NoticeEvent
 * @typedef {{ type: "scored", result: Result }} ScoredEvent
 * @typedef {ProgressEvent | StateEvent | NoticeEvent | ScoredEvent} ScorerEvent
 */

/**
 * From page to worker.
 * @typedef {import("../common/errors.js").FailureCode} FailureCode
 * @typedef {{ glue: string, wasm: string }} ModuleFiles
 * @typedef {{ webgpu: ModuleFiles, cpu: ModuleFiles, "cpu-relaxed": ModuleFiles }} Modules  only one of them is loaded
 * @typedef {object} StartRequest
 * @property {"start"} type
 * @property {DeviceChoice} device
 * @property {string | null} reason  why the CPU took over from WebGPU
 * @property {number | null} crops
 * @property {string | File[] | FileSystemDirectoryHandle} model
 * @property {Modules} modules
 * @property {Map<string, Blob>} kept  shards by hash that did not fit into the cache of an earlier worker
 * @property {boolean} mayAsk  whether the page answers {@link Confirm}
 *
 * @typedef {{ type: "score", id: number, image: ArrayBuffer, prompt: string | null, crops: number | null }} ScoreRequest
 *   `image`: transferred; `prompt` null: read it from the image's metadata; `crops` null: as many as the model has
 * @typedef {{ type: "confirmed", isWanted: boolean }} Confirmed
 * @typedef {StartRequest | ScoreRequest | Confirmed} Request
 */

/**
 * From worker to page.
 * @typedef {{ type: "starting", backend: "webgpu" | "cpu" }} Starting
 * @typedef {{ type: "confirm", bytes: number }} Confirm
 * @typedef {import("../model/shards.js").Kept} Kept
 * @typedef {{ type: "ready", info: Info }} Ready
 * @typedef {{ type: "result", id: number, result: Result }} Scored
 * @typedef {{ type: "error", id: number, code: FailureCode, message: string }} Failed  this image cannot be scored; the next one may be
 * @typedef {{ type: "fatal", code: FailureCode, message: string }} Fatal  the worker must be replaced
 * @typedef {Starting | ProgressEvent | NoticeEvent | Confirm | Kept | Ready | Scored | Failed | Fatal} Answer
 */

/**
 * The interface of the wasm modules.
 * @typedef {object} ModuleScorer
 * @property {() => ModuleInfo} info
 * @property {(image: Uint8Array, prompt: string | null, crops?: number) => Promise<object>} score  names in snake_case
 * @property {(image: ImageData, prompt: string | null, crops?: number) => Promise<object>} scorePixels  as `score`
 *
 * @typedef {Error & { code: "argument" | "image" | "model" | "device" | "fault" }} ModuleError
 *   an error of the module; fault: the device failed while it computed, and the worker must be replaced
 *
 * @typedef {object} ScorerModule
 * @property {(options: { module_or_path: string }) => Promise<unknown>} default
 * @property {{
 *   selfCheck(): Promise<void>,
 *   load(read: (name: string) => Promise<Uint8Array>, options: { isHashed: boolean, crops?: number }): Promise<ModuleScorer>,
 * }} Scorer
 */

export {};
