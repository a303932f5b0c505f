"""What a number needs beside it: the machine, and who was measured."""

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from setting import BENCH

# What tells how fast a kernel can be, by the kernel's names for them.
FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm", "bf16")


def machine():
    processor, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        processor = next((line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")), processor)
        flags = info.read_text()
        processor += "".join(f", {name}" for name in FLAGS if re.search(rf"\b{name}\b", flags))
    cores = len(os.sched_getaffinity(0))
    return f"{processor}, {cores} core{'s' * (cores > 1)}, {platform.system()} {platform.release()}, load {os.getloadavg()[0]:.1f} at the start"


def versions(trainer):
    """Ours first; a package that a chosen path does not need may be absent."""
    found = [first_line([trainer, "--version"])]
    for package in ("torch", "transformers", "onnxruntime", "pillow", "torchvision"):
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            pass
    lock = (BENCH / "package.json").read_text()
    found += [f"{name} {number}" for name, number in re.findall(r'"((?:@huggingface/)?[a-z-]+)": "(\d[^"]*)"', lock)]
    return found + [browser for browser in (first_line([os.environ.get("CHROMIUM", "chromium"), "--version"]),) if browser]


def first_line(command):
    try:
        run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    except OSError:
        return None
    return run.stdout.strip().split("\n")[0] or None
