// @ts-check
// index.js — the package's entry. Importing it does nothing; `createScorer` loads, `defineElements` registers.

export {};
