// @ts-check
// rival.mjs — onnxruntime-web in a page, on one thread. Each function runs there by itself: it sees nothing of this file.

/** @param {{ provider: "wasm" | "webgpu", model: string, pixels: string, views: number }} request */
export async function load({ provider, model, pixels, views }) {
  const ort = await import(/* @vite-ignore */ `/ort/ort.${provider}.min.mjs`);
  ort.env.wasm.wasmPaths = "/ort/";
  ort.env.wasm.numThreads = 1;
  const state = /** @type {any} */ (window);
  state.session = await ort.InferenceSession.create(new Uint8Array(await (await fetch(model)).arrayBuffer()), { executionProviders: [provider] });
  const values = new Float32Array(await (await fetch(pixels)).arrayBuffer());
  state.input = { pixel_values: new ort.Tensor("float32", values, [views, 3, 224, 224]) };
  return ort.env.versions.web;
}

/** The features `[views, embed]` of `times` runs, the last one's, and the seconds of each. @param {{ times: number }} request */
export async function run({ times }) {
  const { session, input } = /** @type {any} */ (window);
  const seconds = [];
  /** @type {any} */ let features;
  for (let time = 0; time < times; time++) {
    const start = performance.now();
    features = (await session.run(input)).image_embeds;
    seconds.push((performance.now() - start) / 1000);
  }
  const [views, width] = features.dims;
  return { seconds, features: Array.from({ length: views }, (_, view) => [...features.data.slice(view * width, (view + 1) * width)]) };
}
