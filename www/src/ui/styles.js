// @ts-check
// styles.js — the styles of colours, controls and the frame of the gallery. Each of these has one hue in the whole gallery:
// perception, alignment, whole image, crops, words. A page can set the `--tsp-*` properties on the element.

import { css, unsafeCSS } from "lit";

import { palette } from "./palette.js";

export const base = css`
  :host {
    ${unsafeCSS(palette)}
    --on-accent: var(--tsp-on-accent, light-dark(#ffffff, #14162b));
    --image: light-dark(#8a4bb8, #c99cf2);
    --patches: light-dark(#b8457e, #f08fbc);
    --words: light-dark(#c27c12, #e6b450);
    --keep: light-dark(#1c7a3e, #7ddb9c);
    --low: light-dark(#e8742c, #ff8a3d);
    --high: light-dark(#0f7fa8, #3fb8e6);
    --pad: clamp(0.75rem, 2vw, 2rem);
    display: block;
    position: relative;
    block-size: var(--tsp-height, min(100dvh, 60rem));
    min-block-size: 20rem;
    overflow-wrap: break-word;
    container-type: inline-size;
  }
  :host([hidden]) { display: none; }
  :host([theme="light"]) { color-scheme: light; }
  :host([theme="dark"]) { color-scheme: dark; }

  *, ::before, ::after { box-sizing: border-box; margin: 0; }
  [hidden] { display: none !important; }
  /* For screen readers and the keyboard only. */
  .windows { display: contents; }
  .hidden { position: absolute; width: 1px; height: 1px; opacity: 0; overflow: hidden; white-space: nowrap; pointer-events: none; }
  h1, h2 { font-weight: 600; line-height: 1.25; letter-spacing: -0.01em; }
  h2 { font-size: 1rem; }
  h3, caption { font-size: 0.875rem; font-weight: 400; color: var(--soft); text-align: start; margin-bottom: 0.35rem; }
  .note { font-size: 0.85rem; color: var(--soft); }
  :focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }

  button, .button, input, select, textarea { font: inherit; color: inherit; }
  button, .button, select {
    display: inline-flex; align-items: center; justify-content: center; gap: 0.4rem;
    min-height: 2.25rem; padding: 0.3rem 0.8rem;
    border: 1px solid var(--line); border-radius: 0.55rem; background: var(--surface);
    font-size: 0.875rem; font-weight: 500; line-height: 1.2; white-space: nowrap; cursor: pointer;
  }
  button:hover, .button:hover, select:hover { border-color: var(--edge); }
  button:disabled { color: var(--soft); cursor: default; opacity: 0.6; border-color: var(--line); }
  .primary { background: var(--accent); border-color: transparent; color: var(--on-accent); font-weight: 600; }
  .primary:hover { filter: brightness(1.08); border-color: transparent; }
  .plain { background: none; border-color: transparent; color: var(--soft); }
  .plain:hover { color: var(--ink); background: color-mix(in oklab, var(--ink) 7%, transparent); border-color: transparent; }
  .icon { width: 2.25rem; padding: 0; flex: none; }
  :is(button, .button) svg { width: 1.1rem; height: 1.1rem; flex: none; }
  svg.line { fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
  input[type="search"], input[type="url"], input[type="text"], textarea {
    min-height: 2.25rem; min-width: 0; padding: 0.35rem 0.75rem;
    border: 1px solid var(--edge); border-radius: 0.55rem; background: var(--surface); font-size: 0.9rem;
  }
  ::placeholder { color: var(--soft); opacity: 1; }
  progress { width: 100%; height: 0.4rem; border: 0; border-radius: 99rem; overflow: hidden; background: var(--line); accent-color: var(--accent); appearance: none; }
  progress::-webkit-progress-bar { background: var(--line); border-radius: 99rem; }
  progress::-webkit-progress-value { background: var(--accent); border-radius: 99rem; transition: inline-size 0.2s; }
  progress::-moz-progress-bar { background: var(--accent); border-radius: 99rem; }
  kbd { display: inline-block; min-width: 1.6em; padding: 0.05em 0.4em; border: 1px solid var(--line); border-bottom-width: 2px;
    border-radius: 0.35em; background: var(--surface); font: 600 0.8rem/1.5 ui-monospace, monospace; text-align: center; }

  .segments { display: flex; align-items: center; padding: 0; border: 0; font-size: 0.85rem; min-width: 0; }
  .segments legend { float: left; padding: 0; margin-right: 0.6rem; color: var(--soft); }
  .segments label { position: relative; }
  .segments input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
  .segments span { display: grid; place-content: center; min-height: 2.25rem; padding: 0.2rem 0.75rem; margin-left: -1px; border: 1px solid var(--line); background: var(--surface); }
  .segments label:first-of-type span { border-radius: 0.55rem 0 0 0.55rem; margin: 0; }
  .segments label:last-of-type span { border-radius: 0 0.55rem 0.55rem 0; }
  .segments :checked + span { background: color-mix(in oklab, var(--accent) 16%, var(--surface)); border-color: var(--accent); z-index: 1; position: relative; font-weight: 600; pointer-events: none; }
  .segments :disabled + span { color: var(--soft); opacity: 0.6; }
  .segments :focus-visible + span { outline: 3px solid var(--accent); outline-offset: 2px; z-index: 2; position: relative; }

  .menu { position: relative; }
  .menu > summary { list-style: none; }
  .menu > summary::-webkit-details-marker { display: none; }
  .menu > div {
    position: absolute; z-index: 5; inset-inline-end: 0; top: calc(100% + 0.35rem); width: max-content; max-width: min(20rem, 86vw);
    display: grid; padding: 0.35rem; border: 1px solid var(--line); border-radius: var(--radius); background: var(--surface); box-shadow: 0 0.6rem 2rem #0003;
  }
  .menu.left-edge > div { inset-inline: 0 auto; }
  .menu > div > :is(button, label) { justify-content: start; border-color: transparent; background: none; border-radius: 0.4rem; }
  .menu > div > :is(button, label):hover { background: color-mix(in oklab, var(--ink) 7%, transparent); }
  label.button:focus-within { outline: 3px solid var(--accent); outline-offset: 2px; }

  @media (prefers-reduced-motion: reduce) { *, ::before, ::after { transition: none !important; animation: none !important; } }
`;

export const frame = css`
  .scroller { position: absolute; inset: 0; overflow: auto; overscroll-behavior: contain; scrollbar-gutter: stable; scrollbar-width: thin; scrollbar-color: var(--edge) transparent; }
  .scroller:focus-visible { outline-offset: -3px; }
  .over::after {
    content: "Drop images, folders, text files or a CSV table"; position: absolute; inset: 0.5rem; z-index: 9; display: grid; place-content: center;
    border: 3px dashed var(--accent); border-radius: var(--radius); background: color-mix(in oklab, var(--ground) 86%, transparent);
    font-size: 1.25rem; font-weight: 600; pointer-events: none; text-align: center;
  }
  header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; padding: 0.9rem var(--pad) 0.6rem; }
  header .title { flex: 1 1 14rem; min-width: 0; }
  header h1 { font-size: clamp(1.05rem, 0.95rem + 0.5cqi, 1.35rem); }
  header .title p { font-size: 0.85rem; color: var(--soft); }
  .run { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem; }
  .chip { display: inline-flex; align-items: center; gap: 0.45rem; max-width: 22rem; min-height: 2.25rem; padding: 0.2rem 0.8rem; border: 1px solid var(--line); border-radius: 99rem; font-size: 0.85rem; color: var(--soft); background: none; }
  .chip b { color: var(--ink); font-weight: 600; }
  .chip > span { overflow: hidden; text-overflow: ellipsis; }
  .chip::before { content: ""; flex: none; width: 0.5rem; height: 0.5rem; border-radius: 99rem; background: var(--edge); }
  .chip.ready::before { background: var(--keep); }
  .chip.failed::before { background: var(--alarm); }

  .banners { display: grid; gap: 0.5rem; padding: 0 var(--pad); }
  .banners > :last-child { margin-bottom: 0.4rem; }
  .banner { position: relative; overflow: hidden; display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem 1rem; padding: 0.5rem 0.85rem; border-radius: var(--radius); font-size: 0.875rem; background: var(--surface); border: 1px solid var(--line); }
  .banner > p { flex: 1 1 16rem; min-width: 0; }
  .banner progress { position: absolute; inset: auto 0 0; height: 3px; border-radius: 0; }
  .banner.warn { background: var(--warn-ground); color: var(--warn); border-color: transparent; }
  .banner.alarm { background: var(--alarm-ground); color: var(--alarm); border-color: transparent; }
  .banner button { color: var(--ink); }
  .banner .icon { background: none; border-color: transparent; color: inherit; }

  .start { display: grid; place-items: center; padding: 1rem var(--pad) 3rem; min-height: 60%; }
  .drop {
    width: 100%; max-width: 56rem; display: grid; justify-items: center; gap: 1rem; padding: clamp(2rem, 8cqi, 5rem) 1.25rem; text-align: center;
    border: 2px dashed color-mix(in oklab, var(--soft) 45%, transparent); border-radius: 1.2rem; color: var(--soft);
  }
  .drop h2 { font-size: clamp(1.15rem, 1rem + 1cqi, 1.6rem); color: var(--ink); }
  .drop > p { max-width: 34rem; text-wrap: pretty; }
  .drop svg.line { width: 3rem; height: 3rem; }
  .choices { display: flex; flex-wrap: wrap; justify-content: center; gap: 0.5rem; }
  label.button { position: relative; overflow: hidden; }
  label.button input { position: absolute; inset: 0; opacity: 0; cursor: pointer; font-size: 0; }

  .dialog {
    width: min(34rem, calc(100% - 1.5rem)); max-height: calc(100% - 1.5rem); margin: auto; padding: 1.25rem; overflow: auto;
    border: 1px solid var(--line); border-radius: 1rem; background: var(--ground); color: var(--ink); box-shadow: 0 1.5rem 4rem #0006;
  }
  dialog::backdrop { background: #000a; }
  .dialog > header { padding: 0 0 0.75rem; flex-wrap: nowrap; }
  .dialog > header h2 { flex: 1; font-size: 1.15rem; }
  .dialog form, .dialog .stack { display: grid; gap: 0.75rem; }
  .dialog .row { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; }
  .dialog .row > input { flex: 1 1 12rem; }
  .dialog .actions { display: flex; flex-wrap: wrap; gap: 0.5rem; justify-content: end; }
  .dialog hr { border: 0; border-top: 1px solid var(--line); margin: 1rem 0; }
  .dialog h3 { color: var(--ink); font-weight: 600; font-size: 0.9rem; }
  .dialog textarea { width: 100%; resize: vertical; }
  .keys { display: grid; grid-template-columns: auto 1fr; gap: 0.45rem 1rem; align-items: baseline; font-size: 0.9rem; }
  .keys dt { white-space: nowrap; }
`;
