"""Times `trainer train` side by side with PyTorch: one training step of 16 images with 9 views, and the memory it takes.

usage: train.py TRAINER FOLDER [--device cuda|cpu] [--precision f32|bf16] [--size vit-b-32|tower] [--images N]

Both train on synthetic images from the same seeded weights, with the paper's step: MAE, AdamW at 5e-6, both towers, perception. Ours reads
its images from the cache of a first epoch that is not counted. PyTorch gets views that lie ready in memory, which favours it. That both compute
the same gradients and steps is tested, not timed (`tests/suite/training.rs`).
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.nn.functional import normalize

TESTS = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TESTS / "fixtures"))
import seeded  # noqa: E402
import tokens  # noqa: E402
from reference import LEVELS  # noqa: E402

SIZES = {"vit-b-32": seeded.VIT_B_32, "tower": seeded.TOWER}
SEED, BATCH, CROPS, EPOCHS = 11, 16, 8, 3


def ours(trainer, folder, weights, options):
    """Seconds of each step's share of the epochs after the first, and what the run says of its memory."""
    data, out = folder / f"synthetic-{options.images}", folder / f"run-{options.device}-{options.precision}-{time.time_ns()}"
    subprocess.run([trainer, "synth", "--out", data, "--images", str(options.images), "--seed", "1"], check=True)
    command = [trainer, "train", "--data", data, "--out", out, "--clip", weights, "--task", "perception", "--epochs", str(EPOCHS)]
    command += ["--device", options.device, "--precision", options.precision, "--batch", str(BATCH), "--train-crops", str(CROPS)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    epochs = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    steps = epochs[0]["steps"]
    memory = next(line for line in output.splitlines() if line.startswith("memory"))
    return [epoch["train_seconds"] / steps for epoch in epochs[1:]], memory, data


def rival(clip, prompts, size, options):
    """Seconds of each step with PyTorch, text trimmed and equal texts encoded once, as ours."""
    device = torch.device(options.device)
    clip = clip.to(device).train()
    clip.logit_scale.requires_grad_(False)
    trained = [parameter for parameter in clip.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=5e-6, weight_decay=5e-4, fused=device.type == "cuda")
    amp = torch.autocast(device.type, torch.bfloat16) if options.precision == "bf16" else nullcontext()
    pixels = torch.randn(BATCH * (1 + CROPS), 3, size.image_size, size.image_size)
    levels = torch.arange(5, device=device)
    times = []
    for step in range(12):
        batch = [prompts[(step * BATCH + i) % len(prompts)] for i in range(BATCH)]
        unique = sorted(set(batch))
        ids = tokens.padded(LEVELS["adj"] + unique)
        start = time.perf_counter()
        with amp:
            features = clip.visual_projection(clip.vision_model(pixels.to(device, non_blocking=True)).pooler_output)
            hidden = clip.text_projection(clip.text_model(ids.to(device)).last_hidden_state)
        features, hidden = features.float().view(BATCH, 1 + CROPS, -1), hidden.float()
        ends = (ids == seeded.END_TOKEN).int().argmax(1)
        level_features = normalize(hidden[torch.arange(5), ends[:5]], dim=-1)
        image, patch = normalize(features[:, 0], dim=-1), normalize(features[:, 1:].mean(1), dim=-1)
        coarse = 5 / 4 * ((clip.logit_scale.exp() * patch @ level_features.T).softmax(-1) * levels).sum(-1)
        fine = []
        for i, prompt in enumerate(batch):
            row = unique.index(prompt)
            words = normalize(hidden[5 + row, 1 : ends[5 + row]], dim=-1)
            fine.append((words @ torch.stack([image[i], patch[i]]).T).mean())
        loss = (coarse + 5 * torch.stack(fine) - 2.5).abs().mean()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        loss.item()
        times.append(time.perf_counter() - start)
    peak = f", {torch.cuda.max_memory_allocated() / 1e9:.1f} GB on the device at most" if device.type == "cuda" else ""
    return times[4:], f"memory: PyTorch{peak or ' does not tell on the CPU'}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("trainer")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", default="f32", choices=["f32", "bf16"])
    parser.add_argument("--size", default="vit-b-32", choices=SIZES)
    parser.add_argument("--images", type=int, default=400)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    size = SIZES[options.size]
    weights = options.folder / f"{options.size}.safetensors"
    if not weights.exists():
        save_file(seeded.checkpoint(size, SEED), options.folder / "part", {"format": "pt"})
        (options.folder / "part").rename(weights)

    our_times, our_memory, data = ours(options.trainer, options.folder, weights, options)
    with open(data / "data.csv", newline="") as table:
        prompts = [row["prompt"] for row in csv.DictReader(table)]
    clip = seeded.seeded_model(size, SEED)
    clip.set_attn_implementation("sdpa")
    their_times, their_memory = rival(clip, prompts, size, options)
    card = torch.cuda.get_device_name() if options.device == "cuda" else "CPU"
    print(f"{options.size}, {options.precision}, {BATCH} images with {1 + CROPS} views a step, {card}")
    for name, times in (("trainer", our_times), (f"PyTorch {torch.__version__}", their_times)):
        print(f"{name}: {1e3 * statistics.median(times):.1f} ms a step ({1e3 * min(times):.1f} to {1e3 * max(times):.1f})")
    print(f"ratio: {statistics.median(our_times) / statistics.median(their_times):.2f} × PyTorch's time")
    print(f"trainer's {our_memory}\n{their_memory}")


if __name__ == "__main__":
    main()
