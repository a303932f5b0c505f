"""Times `trainer score` on the CPU side by side with PyTorch: ViT-B/32, seeded weights, a 512 × 512 photograph, 16 views.

usage: score.py TRAINER FOLDER

Both start from the JPEG file, score perception with all its parts and keep text features between images. One image's time is
what each further image adds to a run; both take turns, and the medians are compared. The scores must agree first.
"""

import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import save_file

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "fixtures"))
import seeded  # noqa: E402
import tokens  # noqa: E402
from views import Views  # noqa: E402

from reference import LEVELS, PERCEPTION, Reference  # noqa: E402

PHOTO = TESTS.parent / "www/samples/cat.jpg"
PROMPT = (TESTS.parent / "www/samples/cat.txt").read_text().strip()
IMAGES, ROUNDS, SEED = 6, 5, 11


class Rival:
    """TSP-MGS as one would write it with PyTorch and transformers: one batch of views, texts encoded once."""

    def __init__(self, clip):
        self.clip = clip
        with torch.no_grad():
            self.levels = clip.text_projection(clip.text_model(tokens.padded(LEVELS["adj"])).pooler_output)
            hidden = clip.text_model(tokens.padded([PROMPT])).last_hidden_state
            self.words = clip.text_projection(hidden)[0, 1 : len(tokens.ids(PROMPT)) - 1]

    @torch.no_grad()
    def score(self, path):
        views = Views(path)
        pixels = torch.cat([views.resized()[None], views.patches(15)])
        features = self.clip.visual_projection(self.clip.vision_model(pixels).pooler_output)
        image, patches = features[0], features[1:].mean(0)
        unit = torch.nn.functional.normalize
        p = (self.clip.logit_scale.exp() * unit(self.levels) @ unit(patches, dim=0)).softmax(0)
        w = unit(self.words) @ unit(torch.stack([image, patches]), dim=1).T
        return (5 / 4 * (p * torch.arange(5)).sum() + 5 * w.mean()).item()


def main():
    trainer, folder = sys.argv[1], Path(sys.argv[2])
    threads = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / "vit-b-32.safetensors"
    if not weights.exists():
        save_file(seeded.checkpoint(seeded.VIT_B_32, SEED), folder / "part", {"format": "pt"})
        (folder / "part").rename(weights)
    photos = [folder / f"{i}.jpg" for i in range(IMAGES)]
    for photo in photos:
        shutil.copy(PHOTO, photo)

    def run(photos):
        command = [trainer, "score", "--device", "cpu", "--task", "perception", "--format", "jsonl", "--clip", weights, "--prompt", PROMPT, *photos]
        start = time.perf_counter()
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        return time.perf_counter() - start, json.loads(output.splitlines()[0])["perception"]["score"]

    clip = seeded.seeded_model(seeded.VIT_B_32, SEED)
    expected = Reference(clip).score(Views(PHOTO), PROMPT, PERCEPTION)["score"]
    clip.set_attn_implementation("sdpa")  # the fastest that transformers has on a CPU
    rival = Rival(clip)
    theirs_score, ours_score = rival.score(photos[0]), run(photos[:1])[1]
    print(f"scores: reference {expected:.4f}, ours {ours_score:.4f}, rival {theirs_score:.4f}")
    # The photograph is a JPEG; the two decoders' colours differ by 0.2 levels on average.
    if abs(ours_score - expected) > 0.02 or abs(theirs_score - expected) > 1e-3:
        sys.exit("error: the scores differ; nothing was timed")

    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append((run(photos)[0] - run(photos[:1])[0]) / (IMAGES - 1))
        start = time.perf_counter()
        for photo in photos[1:]:
            rival.score(photo)
        theirs.append((time.perf_counter() - start) / (IMAGES - 1))
    for name, times in (("trainer", ours), (f"PyTorch {torch.__version__}", theirs)):
        spread = f"{min(times):.3f} to {max(times):.3f}"
        print(f"{name}: {statistics.median(times):.3f} s an image ({spread}, {ROUNDS} rounds, {threads} threads)")
    print(f"ratio: {statistics.median(ours) / statistics.median(theirs):.2f} × PyTorch's time on {platform.machine()}, {processor()}")


def processor():
    info = Path("/proc/cpuinfo")
    names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.exists() else []
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
