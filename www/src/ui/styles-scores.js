// @ts-check
// styles-scores.js — the styles of the large view and the comparison.

import { css } from "lit";

export const scores = css`
  .detail, .compare { width: 100%; height: 100%; max-width: none; max-height: none; padding: 0; border: 0; background: var(--ground); color: var(--ink); overflow: auto; }
  .detail[open] { display: grid; grid-template-columns: minmax(0, 1fr) clamp(22rem, 34vw, 44rem); overflow: hidden; }
  .left { display: grid; grid-template-rows: minmax(0, 1fr) auto auto; min-height: 0; background: var(--well); }
  .stage { position: relative; min-height: 0; overflow: hidden; background: var(--well); }
  .stage > :is(img, .overlay) { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; }
  .stage .none { position: absolute; inset: 0; display: grid; place-content: center; padding: 1rem; text-align: center; color: var(--soft); }
  .overlay rect { fill: color-mix(in oklab, var(--high) var(--level), var(--low)); fill-opacity: 0.6; shape-rendering: crispEdges; }
  .tools { display: flex; flex-wrap: wrap; align-items: center; justify-content: center; gap: 0.5rem 0.75rem; padding: 0.6rem; background: var(--ground); border-block-start: 1px solid var(--line); }
  .marks { display: flex; }
  .marks button { min-width: 2.25rem; padding: 0 0.4rem; border-color: transparent; background: none; color: var(--soft); font-size: 1rem; }
  .marks button:hover { background: color-mix(in oklab, var(--ink) 7%, transparent); }
  .marks .on { color: light-dark(#9a6a00, #ffd266); }
  .marks .keep[aria-pressed="true"] { background: #1c7a3e; color: #fff; }
  .marks .reject[aria-pressed="true"] { background: #a3261b; color: #fff; }
  .left .legend { justify-content: center; margin: 0; padding: 0 0.6rem 0.6rem; background: var(--ground); }
  .scale-ramp { flex: 0 1 12rem; height: 0.5rem; border-radius: 99rem; background: linear-gradient(to right in oklab, var(--low), var(--high)); }

  .right { display: grid; align-content: start; gap: 1rem; padding: 1rem clamp(0.9rem, 1.5vw, 1.75rem) 2.5rem; overflow: auto; border-inline-start: 1px solid var(--line); container-type: inline-size; }
  .right > * { min-width: 0; }
  .top { display: flex; align-items: start; gap: 0.75rem; }
  .top > :first-child { flex: 1; min-width: 0; }
  .top h2 { font-size: 1.1rem; }
  .right[aria-busy="true"] :is(.scores, .parts) { opacity: 0.45; }
  .scores, .parts { display: grid; gap: 0.8rem; transition: opacity 0.2s; }
  .scores { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  @container (min-width: 40rem) { .parts { grid-template-columns: repeat(2, minmax(0, 1fr)); align-items: start; } }
  article { min-width: 0; padding: clamp(0.7rem, 2.5cqi, 1.1rem); background: var(--surface); border: 1px solid var(--line); border-radius: var(--radius); }
  .big { font-size: clamp(2rem, 11cqi, 3.4rem); font-weight: 300; line-height: 1.15; letter-spacing: -0.03em; white-space: nowrap; }
  .big .none { color: var(--soft); }
  .big .of { font-size: 0.34em; color: var(--soft); letter-spacing: 0; font-weight: 400; }
  .scale { position: relative; display: flex; height: 0.5rem; margin: 0.5rem 0 0.45rem; border-radius: 99rem; overflow: hidden; background: var(--well); }
  /* Marks at 1, 2, 3 and 4. */
  .scale::after { content: ""; position: absolute; inset: 0; background: repeating-linear-gradient(to right, transparent 0 calc(20% - 1px), var(--surface) calc(20% - 1px) 20%); }
  .scale i { flex: none; }
  .card { display: grid; gap: 1rem; }
  i.image { background: var(--image); }
  i.patches { background: var(--patches); }
  i.words { background: var(--words); }
  i.sum { background: var(--soft); }
  i { forced-color-adjust: none; }
  .dot { display: inline-block; width: 0.65rem; height: 0.65rem; border-radius: 0.2rem; margin-right: 0.5rem; }

  .ask { display: grid; gap: 0.35rem; }
  .ask > label { font-weight: 600; font-size: 0.9rem; }
  .ask .row { display: flex; gap: 0.5rem; align-items: stretch; }
  .ask textarea { flex: 1; min-height: 3.6rem; max-height: 12rem; field-sizing: content; resize: vertical; }

  table { width: 100%; border-collapse: collapse; font-size: 0.875rem; }
  th { font-weight: 400; text-align: start; }
  td { text-align: end; }
  .sum th, .sum td { padding: 0.2rem 0; }
  .sum td { padding-left: 0.75rem; white-space: nowrap; }
  .sum tbody td:nth-child(2), .sum .unused { color: var(--soft); }
  .sum tfoot :is(th, td) { border-top: 1px solid var(--line); font-weight: 600; }
  .levels thead th { color: var(--soft); font-size: 0.8rem; padding-bottom: 0.2rem; }
  .levels :is(th, td) { width: 42%; padding: 0.14rem 0 0.14rem 0.9rem; }
  .levels :is(th, td):first-child { width: auto; padding-left: 0; }
  .level { display: grid; grid-template-columns: 1fr 2.9em; align-items: center; gap: 0.4rem; }
  .level .track { height: 0.5rem; border-radius: 99rem; background: var(--well); overflow: hidden; }
  .level .track i { display: block; height: 100%; border-radius: 99rem; }
  .prompt { line-height: 1.9; }
  .prompt span { padding: 0.12em 0.1em; border-radius: 0.25em; box-decoration-break: clone; -webkit-box-decoration-break: clone; background: color-mix(in oklab, var(--words) calc(6% + var(--closeness) * 44%), transparent); }
  .legend { display: flex; align-items: center; gap: 0.6rem; margin-top: 0.3rem; font-size: 0.85rem; color: var(--soft); white-space: nowrap; }
  .ramp { flex: 0 1 9rem; height: 0.5rem; border-radius: 99rem; border: 1px solid var(--line); background: linear-gradient(to right, color-mix(in oklab, var(--words) 6%, transparent), color-mix(in oklab, var(--words) 50%, transparent)); }
  .words details { font-size: 0.875rem; }
  .words summary { color: var(--soft); cursor: pointer; padding: 0.35rem 0; width: fit-content; }
  .words :is(th, td) { padding: 0.12rem 0; }
  .words thead th + th { text-align: end; }
  .words thead th { color: var(--soft); }
  .words tfoot :is(th, td) { border-top: 1px solid var(--line); }

  .compare[open] { display: grid; grid-template: auto minmax(12rem, 1fr) auto / minmax(0, 1fr); gap: 0.75rem; padding: 1rem var(--pad); }
  .compare .pair { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 0.75rem; min-height: 0; }
  .compare figure { display: grid; grid-template: minmax(0, 1fr) auto / minmax(0, 1fr); gap: 0.4rem; min-height: 0; min-width: 0; }
  .compare .stage { border-radius: var(--radius); }
  .compare figcaption { font-size: 0.9rem; }
  .compare figcaption b { display: block; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .compare figcaption .note { display: -webkit-box; min-height: 2lh; -webkit-line-clamp: 2; -webkit-box-orient: vertical; overflow: hidden; }
  dialog:focus-visible { outline: none; }
  .compare table { max-width: 44rem; margin-inline: auto; }
  .compare thead th { text-align: end; color: var(--soft); font-size: 0.8rem; }
  .compare tbody th[colspan] { padding-top: 0.5rem; font-weight: 600; color: var(--ink); }
  .compare tbody th[colspan]::before { content: ""; display: inline-block; width: 0.65rem; height: 0.65rem; margin-right: 0.5rem; border-radius: 0.2rem; background: var(--hue); }
  .compare :is(th, td) { padding: 0.12rem 0.25rem; }
  .compare tr > * { width: 18%; }
  .compare tr > :first-child { width: auto; }
  .compare th { color: var(--soft); }
  .compare .main :is(th, td) { font-weight: 600; color: var(--ink); }
  .compare .main .up { color: var(--keep); }
  .compare .main .down { color: var(--alarm); }

  /* On a phone, the scores are below the image. */
  @media (max-width: 56em) {
    .detail[open] { display: block; overflow: auto; }
    .left { position: relative; grid-template-rows: 46svh auto auto; }
    .right { border: 0; padding-block-start: 0.75rem; overflow: visible; }
    .top .icon { position: fixed; z-index: 3; top: 0.5rem; inset-inline-end: 0.5rem; background: var(--surface); border-color: var(--line); color: var(--ink); }
    .compare .top .icon { position: static; }
    .tools { gap: 0.25rem 0.5rem; padding: 0.4rem; }
    .marks button { min-width: 2rem; }
  }
`;
