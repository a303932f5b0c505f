"""The image tower in Chromium on one thread of its CPU, in float32 and in 8 bits, against onnxruntime-web's wasm."""

from paths.browser import tower

# Batches of more than two views slow onnxruntime-web down on wasm; it is shown at its best and at ours.
BATCHES = (1, 16)
# What ours must reach, by precision.
PRECISIONS = {"fp32": 1.0, "int8": 1.2}


def run(setting):
    size = setting.pick("two-layers", "vit-b-32")
    for batch in setting.pick(BATCHES[:1], BATCHES):
        for precision, at_least in PRECISIONS.items():
            yield tower(setting, "wasm", size, batch, "cpu", "wasm", setting.pick(3, 2), precision, at_least)
