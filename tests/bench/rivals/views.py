"""From a JPEG file to sixteen views with Pillow, torchvision and PyTorch; `rivals/score.py` has the two ways."""

from importlib.metadata import version

import torch
from reference import Options, Reference

from rivals.clip import load
from rivals.clock import Clock
from rivals.score import cut, unfolded, views

BOTH_VIEWS = Options(alpha=0.5, fine=False)


class Rival:
    def __init__(self, weights, size, way):
        self.windows = {"careful": cut, "published": unfolded}[way]
        self.reference = Reference(load(weights, size))
        self.version = f"Pillow {version('pillow')} and PyTorch {torch.__version__}, {way}"

    def score(self, files):
        """What a model whose towers are almost nothing says of the views: a number that each of them moves."""
        levels = self.reference.level_features("", BOTH_VIEWS)
        results = []
        for file in files:
            features = self.reference.image_features(views(file, self.windows))
            parts = self.reference.quality(features[0], features[1:], levels, [], 0.5, BOTH_VIEWS)
            each = self.reference.probabilities(features[1:], levels, BOTH_VIEWS.temperature)
            results.append({"score": parts["score"].item(), "p": parts["p"]["patches"].tolist(), "patches": each.tolist()})
        return results

    def seconds_each(self, files):
        clock = Clock()
        for file in files:
            views(file, self.windows)
        return clock.each(len(files))
