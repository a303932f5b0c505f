// @ts-check
// worker.js — owns the wasm module and the GPU, and scores one image at a time.

self.onmessage = () => {};
