"""The image tower alone, in PyTorch or onnxruntime; its views lie in memory, already cut and normalised."""

from pathlib import Path

import torch
from reference import Options, Reference
from views import Views

from rivals.clip import load
from rivals.clock import Clock

PATCHES = Options(inputs="patches", fine=False)


class Rival:
    def __init__(self, runtime, weights, size, onnx=None):
        clip = load(weights, size)
        # Around many images: it keeps weights in bfloat16 until it ends.
        self.autocast = torch.autocast("cpu", torch.bfloat16, enabled=runtime == "torch bf16")
        self.reference = Reference(clip)
        self.levels = self.reference.level_features("", PATCHES)
        if runtime.startswith("torch"):
            self.version = f"PyTorch{runtime.removeprefix('torch')} {torch.__version__}"
            self.features = lambda pixels: clip.visual_projection(clip.vision_model(pixels).pooler_output)
            return
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        self.version = f"{runtime} {onnxruntime.__version__}"
        self.features = lambda pixels: torch.from_numpy(session.run(None, {"pixel_values": pixels.numpy()})[0])

    def score(self, files, crops):
        """What `compare.task` says of each image."""
        with self.autocast:
            return [self.parts(self.features(Views(Path(file)).patches(crops)).tolist()) for file in files]

    def parts(self, features):
        """From one image's patch features to its score."""
        patches = torch.tensor(features, dtype=torch.float64)
        found = self.reference.quality(None, patches, self.levels, [], 0.0, PATCHES)
        each = self.reference.probabilities(patches, self.levels, PATCHES.temperature)
        return {"score": found["score"].item(), "p": found["p"]["patches"].tolist(), "patches": each.tolist()}

    def seconds_each(self, file, batch, times):
        """Seconds a view."""
        pixels = Views(Path(file)).patches(batch)
        with self.autocast:
            self.features(pixels)  # warm
            clock = Clock()
            for _ in range(times):
                self.features(pixels)
            return clock.each(times * batch)

    def pixels(self, file, crops, out):
        """Leaves the views as raw float32, for rivals in a browser."""
        Views(Path(file)).patches(crops).numpy().tofile(out)
