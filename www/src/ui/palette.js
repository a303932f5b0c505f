// @ts-check
// palette.js — colours and font of each gallery, as declarations of its host. A page replaces them by its properties --tsp-*.

export const palette = `
  color-scheme: light dark;
  --ground: var(--tsp-ground, light-dark(#f6f5f2, #121214));
  --surface: var(--tsp-surface, light-dark(#ffffff, #1b1b1f));
  --well: var(--tsp-well, light-dark(#ebe9e4, #0a0a0c));
  --line: var(--tsp-line, light-dark(#dcd9d2, #34343a));
  --edge: var(--tsp-edge, light-dark(#8f8a80, #6f6f78));
  --ink: var(--tsp-ink, light-dark(#1d1c1a, #ededea));
  --soft: var(--tsp-soft, light-dark(#5f5b54, #a9a6a0));
  --accent: var(--tsp-accent, light-dark(#4456c7, #9aa8ff));
  --perception: var(--tsp-perception, light-dark(#4f62d6, #8f9fff));
  --alignment: var(--tsp-alignment, light-dark(#12897c, #4cc3b4));
  --alarm: light-dark(#a3261b, #ff9d92);
  --alarm-ground: light-dark(#fdecea, #3a1a18);
  --warn: light-dark(#734700, #ffd58a);
  --warn-ground: light-dark(#fff1d6, #33260f);
  --radius: var(--tsp-radius, 0.7rem);
  background: var(--ground);
  color: var(--ink);
  font: 1rem/1.5 var(--tsp-font, system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif);
  font-variant-numeric: tabular-nums;
`;
