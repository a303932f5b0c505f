"""The image tower in Chromium on one thread of its CPU, fp32, against onnxruntime-web's wasm."""

from paths.browser import tower

# Batches of more than two views slow onnxruntime-web down on wasm; it is shown at its best and at ours.
BATCHES = (1, 16)


def run(setting):
    size = setting.pick("two-layers", "vit-b-32")
    for batch in setting.pick(BATCHES[:1], BATCHES):
        yield tower(setting, "wasm", size, batch, device="cpu", provider="wasm", times=setting.pick(3, 2))
