"""The texts of a score in PyTorch: 77 tokens each, and nothing remembered from the image before."""

from dataclasses import replace
from pathlib import Path

import tokens
import torch
from reference import ALIGNMENT, LEVELS, PERCEPTION, Reference
from views import Views

from rivals.clip import load
from rivals.clock import Clock


def prompt(file):
    return Path(file).with_suffix(".txt").read_text().strip()


class Rival:
    def __init__(self, weights, size):
        self.clip = load(weights, size)
        self.version = f"PyTorch {torch.__version__}"

    def score(self, files):
        """Both tasks of each image, of which the whole view alone is looked at."""
        reference = Reference(self.clip)
        tasks = [replace(options, inputs="image", alpha=1.0) for options in (PERCEPTION, ALIGNMENT)]
        return [[reference.score(Views(Path(file)), prompt(file), options)["score"] for options in tasks] for file in files]

    def seconds_each(self, files):
        """Seconds for the eleven texts of an image: five levels a task, and the prompt for its words."""
        clock = Clock()
        for file in files:
            levels = [level.replace("{pt}", prompt(file)) for level in LEVELS["adj"] + LEVELS["adv"]]
            self.clip.text_projection(self.clip.text_model(tokens.padded([*levels, prompt(file)])).last_hidden_state)
        return clock.each(len(files))
