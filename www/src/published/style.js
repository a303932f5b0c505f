// @ts-check
// style.js — the styles of a published gallery. The command line also puts the text between the two backticks, with that of
// the palette, into the style sheet of the page that it writes, for the images that are shown without JavaScript.

import { palette } from "../ui/palette.js";

export const styles = `
:host, tsp-gallery {
  ${palette}
  display: block;
  container-type: inline-size;
}
:host(.table) { padding: 0 clamp(0.75rem, 2cqi, 2rem) 2rem; }
:host([hidden]), [hidden] { display: none !important; }
:host([theme="light"]) { color-scheme: light; }
:host([theme="dark"]) { color-scheme: dark; }

.toolbar, .toolbar *, .grid, .grid *, dialog, dialog * { box-sizing: border-box; margin: 0; }
.grid :focus-visible, dialog :focus-visible, .toolbar :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
.icon { width: 1.15rem; height: 1.15rem; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.perception { --hue: var(--perception); }
.alignment { --hue: var(--alignment); }

.grid { list-style: none; padding: 0; display: grid; grid-template-columns: repeat(auto-fill, minmax(min(13rem, 42cqi), 1fr)); gap: clamp(0.75rem, 2cqi, 1.25rem); }
.grid li { min-width: 0; content-visibility: auto; contain-intrinsic-size: auto 18rem; }
.tile { display: grid; gap: 0.45rem; padding: 0.45rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); }
.open { display: block; padding: 0; border: 0; border-radius: calc(var(--radius) - 0.2rem); overflow: hidden; background: var(--well); color: inherit; font: inherit; cursor: zoom-in; }
p.open { cursor: auto; }
.picture { display: block; width: 100%; aspect-ratio: 1; object-fit: cover; transition: scale 0.25s; }
.tile:hover img.picture { scale: 1.025; }
.picture.none { display: grid; place-content: center; padding: 1rem; text-align: center; font-size: 0.85rem; color: var(--soft); background: var(--well); }
.scores { display: grid; gap: 0.15rem; padding: 0 0.2rem; }
.scores > div { display: grid; grid-template-columns: 5.2rem minmax(0, 1fr); align-items: center; gap: 0.5rem; font-size: 0.8rem; line-height: 1.4; }
.scores dt { color: var(--soft); }
.scores dd { display: grid; grid-template-columns: minmax(0, 1fr) 2.1rem; align-items: center; gap: 0.5rem; }
.scores .value { text-align: end; font-weight: 600; }
.bar { display: block; width: 100%; height: 0.3rem; border-radius: 99rem; background: color-mix(in oklab, var(--hue) 20%, var(--well)); forced-color-adjust: none; }
.bar rect { fill: var(--hue); }
.tile figcaption { padding: 0 0.2rem; font-size: 0.75rem; color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.why { padding: 0.4rem 0.6rem; border-radius: 0.4rem; font-size: 0.8rem; color: var(--alarm); background: var(--alarm-ground); overflow-wrap: anywhere; }
.picture.why { display: block; border-radius: 0; overflow: hidden; text-align: start; }
@container (max-width: 34rem) {
  .scores > div { grid-template-columns: minmax(0, 1fr); gap: 0; }
  .tile { padding: 0.35rem; }
}

.toolbar { position: sticky; top: 0; z-index: 2; display: flex; flex-wrap: wrap; gap: 0.6rem 1.5rem; align-items: end; padding-block: 0.75rem; margin-block-end: 0.75rem; background: color-mix(in oklab, var(--ground) 94%, transparent); backdrop-filter: blur(12px); border-block-end: 1px solid var(--line); }
.toolbar .line { flex: 3 1 18rem; display: flex; flex-wrap: wrap; gap: 0.5rem; min-width: 0; }
.toolbar input[type="search"] { flex: 1 1 13rem; min-width: 0; }
.toolbar :is(input[type="search"], select, button), .nothing button, .work button, .tools button {
  min-height: 2.4rem; padding: 0.3rem 0.75rem; border: 1px solid var(--edge); border-radius: 0.55rem; background: var(--surface); color: var(--ink); font: inherit; font-size: 0.9rem; cursor: pointer;
}
.toolbar input[type="search"] { cursor: auto; }
::placeholder { color: var(--soft); opacity: 1; }
.pair { display: inline-flex; }
.toolbar .pair select { border-radius: 0.55rem 0 0 0.55rem; }
.toolbar .pair .turn { display: grid; place-content: center; border-radius: 0 0.55rem 0.55rem 0; border-inline-start: 0; padding-inline: 0.6rem; }
@container (max-width: 34rem) { .pair, .pair select { flex: 1; } }
.filters { flex: 2 1 22rem; display: flex; gap: 0.5rem 1.5rem; min-width: 0; }
.least { flex: 1 1 0; min-width: 0; display: grid; font-size: 0.8rem; }
.least .head { font-weight: 600; display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 0.5rem; }
.least output { font-weight: 400; color: var(--soft); }
.least svg { width: calc(100% - 1rem); margin-inline: 0.5rem; height: 1.5rem; }
.least rect { fill: var(--hue); forced-color-adjust: none; }
.least .out { fill: var(--edge); opacity: 0.45; }
.least input { width: 100%; height: 1.1rem; accent-color: var(--hue); cursor: ew-resize; }
.said { margin: 0 0 0.6rem; font-size: 0.875rem; color: var(--soft); }
.banner, .alarm { margin: 0 0 0.75rem; padding: 0.5rem 0.85rem; border-radius: var(--radius); font-size: 0.875rem; }
.banner { color: var(--warn); background: var(--warn-ground); }
.alarm { color: var(--alarm); background: var(--alarm-ground); overflow-wrap: anywhere; }
.work:not(:empty) { margin: 0 0 0.75rem; font-size: 0.875rem; }
.nothing { padding: 4rem 1rem; text-align: center; color: var(--soft); }
.end { height: 1px; }

dialog { width: 100%; height: 100%; max-width: none; max-height: none; padding: 0; border: 0; background: var(--ground); color: var(--ink); }
dialog[open] { display: grid; grid-template: minmax(0, 1fr) / minmax(0, 1fr) clamp(19rem, 28vw, 30rem); }
.stage { display: grid; place-items: center; min-height: 0; padding: clamp(0.5rem, 2vw, 2rem); background: var(--well); }
.stage .picture { width: 100%; height: 100%; min-height: 0; aspect-ratio: auto; object-fit: contain; }
.side { display: grid; grid-template-rows: auto minmax(0, 1fr); min-height: 0; border-inline-start: 1px solid var(--line); }
.tools { display: flex; align-items: center; gap: 0.4rem; padding: 0.6rem clamp(0.75rem, 1.5vw, 1.5rem); border-block-end: 1px solid var(--line); }
.tools button { display: grid; place-content: center; width: 2.4rem; padding: 0; border-color: var(--line); }
.tools button[aria-disabled="true"] { opacity: 0.4; cursor: default; }
.tools .place { flex: 1; text-align: center; font-size: 0.875rem; color: var(--soft); }
.panel { display: grid; align-content: start; gap: 0.85rem; padding: 1rem clamp(0.75rem, 1.5vw, 1.5rem) 2rem; overflow: auto; overflow-wrap: anywhere; }
.panel:focus-visible { outline-offset: -3px !important; }
.panel h2 { font-size: 1.05rem; font-weight: 600; line-height: 1.3; }
.panel h3 { font-size: 0.875rem; font-weight: 600; }
.large { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.75rem; }
.large section { padding: 0.75rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); }
.big { font-size: 2.1rem; font-weight: 300; line-height: 1.2; letter-spacing: -0.03em; white-space: nowrap; }
.big span { font-size: 0.85rem; font-weight: 400; letter-spacing: 0; color: var(--soft); }
.asks, .note { font-size: 0.8rem; color: var(--soft); }
.asks { margin-block-start: 0.35rem !important; }
.panel table { width: 100%; margin-block-start: 0.6rem; border-collapse: collapse; font-size: 0.8rem; }
.panel :is(th, td) { padding: 0.15rem 0; border-block-start: 1px solid var(--line); }
.panel th { font-weight: 400; text-align: start; color: var(--soft); }
.panel td { text-align: end; white-space: nowrap; }
.prompt { white-space: pre-wrap; line-height: 1.55; }
h3 + .prompt { margin-block-start: -0.6rem; }
.facts { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 0.2rem 0.9rem; padding-block-start: 0.75rem; border-block-start: 1px solid var(--line); font-size: 0.8rem; }
.facts dt { color: var(--soft); }
@media (max-width: 45rem) {
  dialog[open] { grid-template: minmax(10rem, 52dvh) minmax(0, 1fr) / minmax(0, 1fr); }
  .side { border-inline-start: 0; border-block-start: 1px solid var(--line); }
  .toolbar { position: static; }
  .filters { flex-basis: 100%; }
}
@media (prefers-reduced-motion: reduce) { .picture { transition: none; } .tile:hover img.picture { scale: 1; } }
`;
