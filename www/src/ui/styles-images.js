// @ts-check
// styles-images.js — the styles of toolbar, histograms and grid.

import { css } from "lit";

export const images = css`
  .toolbar { position: sticky; top: 0; z-index: 4; display: grid; gap: 0.5rem; padding: 0.5rem var(--pad); background: color-mix(in oklab, var(--ground) 93%, transparent); backdrop-filter: blur(12px); border-block-end: 1px solid var(--line); }
  .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; }
  .bar .search { flex: 1 1 12rem; max-width: 30rem; }
  .bar .size { margin-inline-start: auto; display: flex; align-items: center; }
  .bar .size input { width: 6.5rem; accent-color: var(--accent); }
  .bar .pair { display: inline-flex; }
  .bar .pair > :first-child { border-radius: 0.55rem 0 0 0.55rem; }
  .bar .pair > :last-child { border-radius: 0 0.55rem 0.55rem 0; margin-inline-start: -1px; }
  [aria-expanded="true"] { background: color-mix(in oklab, var(--accent) 14%, var(--surface)); border-color: var(--accent); }

  .state { position: relative; display: flex; flex-wrap: wrap; align-items: center; gap: 0.15rem 0.5rem; min-height: 2.25rem; font-size: 0.875rem; color: var(--soft); }
  .state p { margin-inline-end: 0.5rem; }
  .state b { color: var(--ink); font-weight: 600; }
  .state .key { margin: 0 0 0 auto; display: flex; gap: 1rem; font-size: 0.8rem; }
  .key span::before { content: ""; display: inline-block; width: 1.1rem; height: 0.25rem; margin-inline-end: 0.4rem; border-radius: 99rem; vertical-align: middle; background: var(--hue); }
  .state progress { position: absolute; inset-inline: calc(-1 * var(--pad)); bottom: calc(-0.5rem - 2px); width: calc(100% + 2 * var(--pad)); height: 3px; border-radius: 0; background: none; }
  .state progress::-webkit-progress-bar { background: none; }
  .state progress::-webkit-progress-value, .state progress::-moz-progress-bar { border-radius: 0; }

  .filters { display: flex; flex-wrap: wrap; gap: 0.5rem 2rem; }
  .histogram { contain: layout style; flex: 1 1 14rem; max-width: 36rem; min-width: 0; padding-inline: 12px; }
  .histogram .head { display: flex; align-items: baseline; gap: 0.6rem; min-height: 1.6rem; font-size: 0.85rem; margin-inline: -12px; }
  .histogram .head span { font-weight: 600; }
  .histogram .head output { color: var(--soft); }
  .histogram .head button { min-height: 1.5rem; padding: 0 0.4rem; font-size: 0.8rem; text-decoration: underline; }
  .perception { --hue: var(--perception); }
  .alignment { --hue: var(--alignment); }
  .plot { position: relative; height: 2.75rem; cursor: crosshair; touch-action: pan-y; border-block-end: 1px solid var(--edge); }
  .plot svg { position: absolute; inset: 0; width: 100%; height: 100%; }
  .plot rect { fill: var(--hue); }
  .plot .out { fill: var(--edge); opacity: 0.45; }
  .plot .range { position: absolute; inset-block: 0; background: color-mix(in oklab, var(--hue) 15%, transparent); pointer-events: none; }
  .handle { position: absolute; bottom: -0.45rem; width: 24px; height: calc(100% + 0.45rem); margin-inline-start: -12px; cursor: ew-resize; display: grid; justify-items: center; align-items: end; border-radius: 0.3rem; }
  .handle::before { content: ""; grid-area: 1 / 1; width: 2px; height: 100%; background: var(--hue); opacity: 0.5; }
  .handle::after { content: ""; grid-area: 1 / 1; width: 0.85rem; height: 0.85rem; border-radius: 99rem; background: var(--surface); border: 2px solid var(--hue); }
  .axis { display: flex; justify-content: space-between; margin: 0.5rem -0.3rem 0; font-size: 0.75rem; line-height: 1; color: var(--soft); }

  main { padding: 0.75rem var(--pad) 3rem; }
  .nothing { padding: 4rem 1rem; text-align: center; color: var(--soft); }
  .grid { position: relative; }
  .tiles { position: absolute; inset: 0 0 auto; display: grid; }
  .tile { position: relative; contain: layout style; min-width: 0; border-radius: var(--radius); cursor: pointer; outline-offset: 3px; }
  .picture { position: relative; aspect-ratio: 1; border-radius: var(--radius); background: var(--well); overflow: hidden; }
  .picture canvas { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; transition: opacity 0.2s, scale 0.25s; }
  .tile:hover canvas { scale: 1.02; }
  .waiting canvas { opacity: 0.55; }
  .rejected canvas { opacity: 0.25; filter: grayscale(1); }
  .failed .picture { background: var(--alarm-ground); }
  .failed canvas { opacity: 0.15; }
  .why { position: absolute; inset: 0; display: grid; align-content: center; padding: 0.75rem; font-size: 0.8rem; line-height: 1.35; color: var(--alarm); overflow: hidden; overflow-wrap: anywhere; }
  [aria-selected="true"] .picture { box-shadow: 0 0 0 1px var(--ground), 0 0 0 4px var(--accent); }
  .pick { position: absolute; top: 0.4rem; inset-inline-end: 0.4rem; width: 1.75rem; height: 1.75rem; display: grid; place-content: center; border-radius: 99rem; background: #0008; color: #fff; opacity: 0; transition: opacity 0.12s; }
  .pick svg { width: 1rem; height: 1rem; stroke-width: 3; }
  .tile:is(:hover, :focus-visible) .pick { opacity: 0.85; }
  [aria-selected="true"] .pick { opacity: 1; background: var(--accent); color: var(--on-accent); }
  @media (hover: none) { .pick { opacity: 0.6; } }
  .mark { position: absolute; bottom: 0.4rem; inset-inline-start: 0.4rem; min-width: 1.6rem; padding: 0.1rem 0.45rem; border-radius: 99rem; background: #16161acc; color: #fff; font-size: 0.8rem; font-weight: 700; line-height: 1.4; text-align: center; }
  .mark.keep { background: #1c7a3e; }
  .mark.reject { background: #a3261b; }
  .mark.stars { color: #ffd266; }
  .busy { position: absolute; inset: auto 0 0; height: 3px; background: color-mix(in oklab, var(--accent) 30%, transparent); overflow: hidden; }
  .busy::after { content: ""; display: block; width: 40%; height: 100%; background: var(--accent); animation: slide 1.3s ease-in-out infinite; }
  @keyframes slide { from { translate: -100%; } to { translate: 260%; } }
  @media (prefers-reduced-motion: reduce) { .busy::after { width: 100%; } .tile:hover canvas { scale: 1; } }

  .caption { height: 2.75rem; padding: 0.35rem 0.15rem 0; display: grid; align-content: start; gap: 0.1rem; }
  .caption .name { font-size: 0.8rem; color: var(--soft); white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .task { display: grid; grid-template-columns: 1fr 2.2rem; align-items: center; gap: 0.5rem; font-size: 0.8rem; line-height: 1.2; }
  .task .track { height: 0.25rem; border-radius: 99rem; background: color-mix(in oklab, var(--hue) 22%, var(--well)); overflow: hidden; }
  .task i { display: block; height: 100%; border-radius: 99rem; background: var(--hue); transition: width 0.3s; }
  .task .value { text-align: end; }
  .waiting .value, .working .value { color: var(--soft); }

  @container (max-width: 40rem) {
    .wide { display: none; }
    header { padding-block: 0.7rem 0.5rem; gap: 0.4rem; }
    header .title { flex-basis: 60%; }
    header h1 { font-size: 1rem; }
    header .title p { display: none; }
    .run { display: contents; }
    .run :is(.segments, .chip) { order: 1; }
    .run .chip { flex: 1; min-width: 0; padding-inline: 0.65rem; white-space: nowrap; }
    .run .segments span { padding-inline: 0.55rem; }
    .run .segments legend { position: absolute; opacity: 0; }
    .bar .size { display: none; }
    .bar .search { flex-basis: calc(100% - 3.25rem); max-width: none; order: -2; }
    .bar > .left-edge { order: -1; }
    .menu.left-edge > div { inset-inline: auto 0; }
    .bar select { flex: 1 1 4.5rem; min-width: 0; padding-inline: 0.4rem; font-size: 0.8rem; text-overflow: ellipsis; }
    .bar .pair { flex: 1.4 1 6.5rem; min-width: 0; }
    .bar > :is(button, .menu) > summary, .bar > button { padding-inline: 0.6rem; }
    .toolbar { padding-block: 0.4rem; gap: 0.35rem; }
    .toolbar:has(.filters:not([hidden])) { position: static; }
    .state, .state .key { font-size: 0.75rem; gap: 0.1rem 0.5rem; }
    .state { min-height: 1.5rem; }
    .state p { margin-inline-end: 0.25rem; }
    .state button { min-height: 2rem; padding-inline: 0.5rem; font-size: 0.8rem; }
    .key span::before { width: 0.7rem; margin-inline-end: 0.25rem; }
    .banner { padding-block: 0.35rem; font-size: 0.8rem; }
    main { padding-block-start: 0.5rem; }
    .drop { border-width: 1.5px; }
  }
`;
