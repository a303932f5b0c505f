"""Writes a ViT-B/32 with pseudorandom weights that depend only on their names, without PyTorch: `weights.py FILE`.

The values equal those of tests/fixtures/seeded.py. A test there compares the two.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np

SEED = 11


def shapes():
    """Hugging Face's names of ViT-B/32 and their shapes."""
    towers = {"vision": (768, 12), "text": (512, 12)}
    found = {
        "logit_scale": (),
        "visual_projection.weight": (512, 768),
        "text_projection.weight": (512, 512),
        "vision_model.embeddings.class_embedding": (768,),
        "vision_model.embeddings.patch_embedding.weight": (768, 3, 32, 32),
        "vision_model.embeddings.position_embedding.weight": (50, 768),
        "text_model.embeddings.token_embedding.weight": (49408, 512),
        "text_model.embeddings.position_embedding.weight": (77, 512),
    }
    norms = ["vision_model.pre_layrnorm", "vision_model.post_layernorm", "text_model.final_layer_norm"]
    widths = {norm: towers[norm.split("_")[0]][0] for norm in norms}
    for tower, (width, layers) in towers.items():
        for layer in range(layers):
            prefix = f"{tower}_model.encoder.layers.{layer}"
            widths |= {f"{prefix}.layer_norm{i}": width for i in (1, 2)}
            for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
                found |= linear(f"{prefix}.self_attn.{name}", width, width)
            found |= linear(f"{prefix}.mlp.fc1", 4 * width, width) | linear(f"{prefix}.mlp.fc2", width, 4 * width)
    for norm, width in widths.items():
        found |= {f"{norm}.weight": (width,), f"{norm}.bias": (width,)}
    return found


def linear(name, outputs, inputs):
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def fnv1a64(name):
    digest = 0xCBF29CE484222325
    for byte in name.encode("utf-8"):
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    return digest


def tensor(name, shape):
    if name == "logit_scale":
        return np.array(4.6052, dtype=np.float32)
    index = np.arange(1, math.prod(shape) + 1, dtype=np.uint64)
    z = np.uint64(fnv1a64(name) ^ SEED) + index * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ z >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ z >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    k = ((z ^ z >> np.uint64(31)) >> np.uint64(40)).astype(np.int64)
    v = ((2 * k - 2**24) / 2**24).astype(np.float32).reshape(shape)
    tenth = np.float32(0.1)
    if name.endswith(".weight") and "norm" in name:
        return np.float32(1) + tenth * v
    if name.endswith(("class_embedding", "position_embedding.weight", "token_embedding.weight", ".bias")):
        return tenth * v
    return np.float32(math.sqrt(3 / math.prod(shape[1:]))) * v


def write(path):
    header, end = {}, 0
    for name, shape in shapes().items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    part = Path(f"{path}.part")
    with open(part, "wb") as file:
        file.write(len(head).to_bytes(8, "little") + head)
        for name, shape in shapes().items():
            file.write(tensor(name, shape).tobytes())
    part.rename(path)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
