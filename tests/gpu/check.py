"""Runs the built programs on this machine's GPU and compares them with the CPU. Prints a table. The exit code is 1 if a number is wrong.

usage: check.py FOLDER [--limit SECONDS]

FOLDER is made by `make gpu-pack`: trainer, module (the page's wasm for WebGPU), dawn.node, samples. A program `node` in it is preferred. Nothing is built or downloaded.
This needs Python 3, NumPy for ViT-B/32, PyTorch for its own rows, and Node for the rows of WebGPU. A row that cannot be measured has the reason. A row that
fails or takes too long does not stop the others. Without an NVIDIA card, an emulated GPU is used with fewer views.
"""

import argparse
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Tolerance of scores and their parts on the scale of 0 to 5, for float32 sums in another order.
TOLERANCE = 2e-3
# Tolerance of losses on the same scale, after steps whose differences add up.
LOSS_TOLERANCE = 1e-2
STEPS, EMULATED_STEPS = 20, 2
# Dawn does not accept lavapipe.
SWIFTSHADER = Path("/usr/lib/chromium/vk_swiftshader_icd.json")


class Missing(Exception):
    """The reason why a row was not measured."""


class Wrong(Exception):
    """The description of a wrong number."""


def card():
    """The name and driver of the first NVIDIA card, or None without one."""
    try:
        query = ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"]
        return subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20, check=True).stdout.splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


class Memory:
    """Measures the peak of the card's used memory in a `with` block, minus the memory that was used before."""

    def __enter__(self):
        self.before, self.most, self.ended = self.used(), 0, threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()

    def watch(self):
        while self.before is not None and not self.ended.wait(0.3):
            self.most = max(self.most, (self.used() or 0) - self.before)

    @staticmethod
    def used():
        try:
            query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
            return int(subprocess.run(query, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=20).stdout.split()[0])
        except (OSError, subprocess.SubprocessError, ValueError, IndexError):
            return None

    def __str__(self):
        return f", {self.most / 1024:.1f} GiB on the card" if self.most else ""


class Check:
    def __init__(self, folder, limit):
        self.folder, self.end, self.table, self.is_right = folder, time.monotonic() + limit, [], True
        self.scratch = Path(tempfile.mkdtemp(prefix="gpu-check-"))
        self.weights = self.scratch / "vit-b-32.safetensors"
        self.card = card()
        self.gpu = "wgpu" if self.card else "wgpu:software"
        self.views = "16,64,256" if self.card else "1"
        self.samples = self.folder / "samples"
        self.crops = "15" if self.card else "1"
        if not self.card:  # an emulated GPU takes seconds for a view
            self.samples = self.scratch / "samples"
            self.samples.mkdir()
            for name in ("cat.jpg", "cat.txt"):
                shutil.copy(self.folder / "samples" / name, self.samples)

    def row(self, name, seconds, measure):
        """Adds a row with the result of `measure`, whose argument is the time limit in seconds."""
        left = min(seconds, self.end - time.monotonic())
        start = time.monotonic()
        try:
            if left < 5:
                raise Missing("no time was left")
            found = measure(left)
        except Missing as why:
            found = f"not measured: {why}"
        except subprocess.TimeoutExpired:
            found, self.is_right = f"FAILED: no end after {left:.0f} s", False
        except (Wrong, OSError, ValueError, KeyError, subprocess.SubprocessError) as error:
            found, self.is_right = f"FAILED: {error}", False
        print(f"[{time.monotonic() - start:6.1f} s] {name}: {found}", file=sys.stderr, flush=True)
        self.table.append((name, found))

    def run(self, command, seconds, environment=None):
        """Runs a command with a time limit. Returns its standard output."""
        command = [str(part) for part in command]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds, env=os.environ | (environment or {})
        )
        if done.returncode:
            raise Wrong(f"{Path(command[0]).name} ended with {done.returncode}: {' '.join(done.stderr.split())[-300:]}")
        return done.stdout

    def trainer(self, *arguments, seconds):
        trainer = self.folder / "trainer"
        if not trainer.exists():
            raise Missing("no trainer was built")
        return self.run([trainer, *arguments], seconds)

    def source(self, model):
        if model == "built-in":
            return []
        if not self.weights.exists():
            raise Missing("ViT-B/32's weights were not made")
        return ["--clip", self.weights]

    def scores(self, model, device, seconds, few=False):
        images = sorted(path for path in self.samples.iterdir() if path.suffix in (".jpg", ".png"))
        images = images[:1] if few else images
        output = self.trainer("score", "--device", device, "--format", "jsonl", "--crops", self.crops, *self.source(model), *images, seconds=seconds)
        return {Path(row["path"]).name: row for row in map(json.loads, output.splitlines())}

    def reference(self, model, seconds):
        """Computes the reference scores on the CPU for later rows."""
        found = self.scores(model, "cpu", seconds)
        (self.scratch / f"{model}.json").write_text(json.dumps(found))
        (self.scratch / f"{model}.jsonl").write_text("\n".join(map(json.dumps, found.values())))
        return f"{len(found)} images"

    def bundle(self, model, seconds):
        """The folder of a bundle with the model, which is made once."""
        bundle = self.scratch / f"bundle-{model}"
        if not bundle.exists():
            self.trainer("export", "--dtype", "f32", *self.source(model), "--out", bundle, seconds=seconds)
        return bundle

    def expected(self, model):
        try:
            return json.loads((self.scratch / f"{model}.json").read_text())
        except FileNotFoundError:
            raise Missing("there is no reference") from None

    def parity(self, model, device, seconds):
        expected = self.expected(model)
        with Memory() as memory:
            start = time.monotonic()
            found = self.scores(model, device, seconds)
            took = time.monotonic() - start
        worst, place = max((difference(found[name], row, name) for name, row in expected.items()), default=(0.0, ""))
        if not worst <= TOLERANCE:
            raise Wrong(f"{place} is off by {worst:.2g}")
        return f"right within {worst:.1e}; {len(found)} images in {took:.1f} s{memory}"

    def first(self, model, device, seconds):
        start = time.monotonic()
        self.scores(model, device, seconds, few=True)
        return f"{time.monotonic() - start:.1f} s to the first score"

    def speed(self, device, seconds):
        with Memory() as memory:
            output = self.trainer(
                "device", "--json", "--device", device, "--views", self.views, *self.source("vit-b-32"), seconds=seconds
            )
        report = json.loads(output)
        if not report["self_check"] <= 1e-2:
            raise Wrong(f"the known model is off by {report['self_check']}")
        first = report["speeds"][0]
        speeds = ", ".join(f"{speed['views']} views {speed['views_per_second']:.0f}/s" for speed in report["speeds"])
        later = sum(speed["new_kernels"] for speed in report["speeds"][1:])
        return (
            f"{report['device']}: {speeds}; first batch {first['first_seconds']:.2f} s, {first['kernels']} kernels, "
            f"{first['dispatches']} dispatches, {later} new kernels for other sizes{memory}"
        )

    def rival(self, seconds):
        if not self.card:
            raise Missing("no NVIDIA card")
        if self.run([sys.executable, "-c", "import importlib.util as u; print(u.find_spec('torch') is not None)"], 30).strip() != "True":
            raise Missing("PyTorch is not installed")
        rows = [json.loads(line) for line in self.run([sys.executable, HERE / "rival.py", self.views], seconds).splitlines()]
        text = [f"{row['precision']} {row['views']} views {row['views_per_second']:.0f}/s" for row in rows]
        return ", ".join(text)

    def losses(self, device, seconds):
        data, out = self.scratch / "synthetic", self.scratch / f"train-{device.replace(':', '-')}"
        if not data.exists():
            self.trainer("synth", "--out", data, "--images", "20", "--seed", "1", seconds=60)
        start = time.monotonic()
        with Memory() as memory:
            self.trainer(
                "train", "--data", data, "--out", out, "--model", self.bundle("built-in", seconds), "--task", "perception", "--epochs", str(STEPS if self.card else EMULATED_STEPS), "--batch", "16", "--seed", "3",
                "--device", device, "--quiet", seconds=seconds,
            )  # fmt: skip
        took = time.monotonic() - start
        losses = [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]
        reference = self.scratch / "losses.json"
        if device == "cpu":
            reference.write_text(json.dumps(losses))
            return f"{len(losses)} steps in {took:.1f} s, loss {losses[0]:.4f} to {losses[-1]:.4f}"
        if not reference.exists():
            raise Missing("there is no reference")
        expected = json.loads(reference.read_text())
        worst = max(abs(found - right) for found, right in zip(losses, expected, strict=True))
        if not worst <= LOSS_TOLERANCE:
            raise Wrong(f"a loss is off by {worst:.2g}")
        return f"right within {worst:.1e}; {len(losses)} steps in {took:.1f} s{memory}"

    def webgpu(self, model, seconds):
        own = self.folder / "node"
        node = own if own.exists() else shutil.which("node")
        if node is None:
            raise Missing("Node is not installed")
        dawn, module = self.folder / "dawn.node", self.folder / "module"
        for needed in (dawn, module):
            if not needed.exists():
                raise Missing(f"{needed.name} was not built")
        self.expected(model)
        environment = {}
        if not self.card:
            if not SWIFTSHADER.exists():
                raise Missing("no card, and no SwiftShader of Chromium's to emulate one that Dawn takes")
            environment = {"VK_DRIVER_FILES": str(SWIFTSHADER)}
        bundle = self.bundle(model, seconds)
        with Memory() as memory:
            command = [node, HERE / "dawn.mjs", dawn, module, bundle, self.samples, self.scratch / f"{model}.jsonl", "2", self.crops]
            output = self.run(command, seconds, environment)
        report = json.loads(output.splitlines()[-1])
        if report["faults"]:
            raise Wrong(report["faults"][0])
        if not report["worst"] <= TOLERANCE:
            raise Wrong(f"a score is off by {report['worst']:.2g}")
        return (
            f"{report['adapter']}: right within {report['worst']:.1e}; checked after {report['checked']:.1f} s, first score {report['first']:.0f} ms, "
            f"then {report['median']:.0f} ms an image; pipelines {report['pipelines']}, of them after the first score {report['late']}; "
            f"{report['dispatches']} dispatches and {report['reads']} reads an image{memory}"
        )


def difference(found, expected, place):
    """The largest difference of the numbers of two results, and its place. Texts and lengths must be equal."""
    if isinstance(expected, dict):
        ignored = ("path", "device", "model", "warning", "notes")
        pairs = [(key, found.get(key), value) for key, value in expected.items() if key not in ignored]
    elif isinstance(expected, list):
        if not isinstance(found, list) or len(found) != len(expected):
            return float("inf"), place
        pairs = [(i, found[i], value) for i, value in enumerate(expected)]
    elif isinstance(expected, bool) or not isinstance(expected, (int, float)):
        return (0.0 if found == expected else float("inf")), place
    elif isinstance(found, (int, float)) and found == found:
        return abs(found - expected), place
    else:
        return float("inf"), place
    return max((difference(a, b, f"{place}.{key}") for key, a, b in pairs), default=(0.0, place))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=float, default=460)
    parser.add_argument("--quick", action="store_true", help="no training, no repeated starts")
    options = parser.parse_args()
    check = Check(options.folder.resolve(), options.limit)
    gpu = check.gpu
    has_cuda = False
    try:
        help_text = check.trainer("device", "--device", "cuda", "--views", "1", "--json", seconds=60)
        has_cuda = bool(help_text)
    except (Wrong, Missing, OSError, subprocess.SubprocessError) as error:
        print(f"no CUDA rows: {error}", file=sys.stderr)

    def weights(seconds):
        if importlib.util.find_spec("numpy") is None:
            raise Missing("NumPy is not installed")
        check.run([sys.executable, HERE / "weights.py", check.weights], seconds)
        return f"{check.weights.stat().st_size / 1e6:.0f} MB"

    check.row("CPU, built-in", 60, lambda s: check.reference("built-in", s))
    check.row(f"{gpu}, built-in, first start", 60, lambda s: check.first("built-in", gpu, s))
    check.row(f"{gpu}, built-in", 60, lambda s: check.parity("built-in", gpu, s))
    if not options.quick:
        check.row(f"{gpu}, built-in, second start", 60, lambda s: check.first("built-in", gpu, s))
    check.row("seeded ViT-B/32", 90, weights)
    check.row(f"{gpu}, ViT-B/32 tower", 60, lambda s: check.speed(gpu, s))
    check.row("PyTorch, ViT-B/32 tower", 60, check.rival)
    check.row("CPU, ViT-B/32", 60, lambda s: check.reference("vit-b-32", s))
    check.row(f"{gpu}, ViT-B/32", 60, lambda s: check.parity("vit-b-32", gpu, s))
    check.row("WebGPU, built-in", 60, lambda s: check.webgpu("built-in", s))
    check.row("WebGPU, ViT-B/32", 90, lambda s: check.webgpu("vit-b-32", s))
    if has_cuda:
        check.row("CUDA, built-in, first start", 60, lambda s: check.first("built-in", "cuda", s))
        check.row("CUDA, built-in", 60, lambda s: check.parity("built-in", "cuda", s))
        check.row("CUDA, ViT-B/32", 60, lambda s: check.parity("vit-b-32", "cuda", s))
        check.row("CUDA, ViT-B/32 tower", 60, lambda s: check.speed("cuda", s))
    if not options.quick:
        check.row("CPU, training", 90, lambda s: check.losses("cpu", s))
        check.row(f"{gpu}, training", 90, lambda s: check.losses(gpu, s))
        if has_cuda:
            check.row("CUDA, training", 90, lambda s: check.losses("cuda", s))

    width = max(len(name) for name, _ in check.table)
    print(f"card: {check.card or 'none: an emulated one, whose speed says nothing'}; {os.cpu_count()} cores")
    for name, found in check.table:
        print(f"{name:<{width}}  {found}")
    if not has_cuda:
        print("CUDA: not measured, this trainer was built without it or finds no card")
    sys.exit(0 if check.is_right else 1)


if __name__ == "__main__":
    main()
