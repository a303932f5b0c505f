// @ts-check
// gallery-element.js — the type of the element as its parts see it. Nothing in this folder uses anything else of the element.

/**
 * @typedef {import("../gallery/types.js").Mark} Mark
 *
 * @typedef {object} Parts
 * @property {import("../gallery/collection.js").Collection} collection
 * @property {import("../gallery/thumbnails.js").Thumbnails} thumbnails
 * @property {import("./engine.js").Engine} engine
 * @property {import("./intake.js").Intake} intake
 * @property {import("./grid.js").Grid} grid
 * @property {import("./windows.js").Windows} windows
 * @property {import("lit/directives/ref.js").Ref<HTMLInputElement>} search  the field
 *
 * @typedef {object} State
 * @property {string | undefined} samples  the address of a samples.json
 * @property {Promise<void> | null} opened  resolves when images can be added
 * @property {string[]} notices
 * @property {boolean} hasFilters  whether the histograms are open
 *
 * @typedef {object} Actions
 * @property {() => void} requestUpdate  renders again
 * @property {(event: KeyboardEvent) => void} onKey
 * @property {(event: KeyboardEvent) => void} onSearchKey
 * @property {() => void} focusSearch
 * @property {(ids: number[], mark: Mark) => void} mark
 * @property {(ids: number[]) => void} takeOut  removes images from the list
 * @property {(view: Partial<import("../gallery/types.js").View>) => void} setView
 * @property {() => void} toggleFilters
 * @property {(size: number) => void} setTileSize
 * @property {(model: import("../engine/protocol.js").ModelSource | undefined) => void} setModel
 * @property {() => boolean} isDark
 * @property {() => void} switchTheme
 * @property {(message: string) => void} notify  shows a notice until the user dismisses it
 * @property {(notice: string) => void} dismiss
 * @property {(text: string) => void} say  to screen readers
 * @property {(type: string, detail: unknown) => void} tell  sends an event
 *
 * @typedef {HTMLElement & import("lit").ReactiveControllerHost & Parts & State & Actions} GalleryElement
 */

export {};
