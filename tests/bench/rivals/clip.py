"""The seeded CLIP in transformers, from the same file that `trainer` reads."""

import seeded
from safetensors.torch import load_file

from material import SIZES


def load(weights, size):
    clip = seeded.model(seeded.Size(*SIZES[size]))
    clip.load_state_dict(load_file(weights))
    clip.set_attn_implementation("sdpa")  # the fastest that transformers has on a CPU
    return clip
