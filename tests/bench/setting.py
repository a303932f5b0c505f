"""One run of the bench: what is measured, where its material lies, and on how many cores."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent.parent


class Wrong(Exception):
    """A result is not what it should be: nothing of this path is timed, and the run fails."""


class NotMeasured(Exception):
    """This build cannot be measured here; the report says why, and the run does not fail."""


@dataclass
class Setting:
    trainer: Path
    folder: Path  # material that is made once and kept
    www: Path  # the built page
    threads: list[int]
    rounds: int
    is_quick: bool
    isa: str | None = None  # the instruction set that `--isa` limits ours to, and the rivals as far as they can be

    def pick(self, quick, full):
        return quick if self.is_quick else full


def cores(threads):
    """The last cores that this process may use: system work prefers the first."""
    usable = sorted(os.sched_getaffinity(0))
    if threads > len(usable):
        raise NotMeasured(f"{threads} threads: this machine lends {len(usable)} cores")
    return usable[-threads:]


# What keeps PyTorch's own loops, oneDNN and MKL to an instruction set; those that are not here are all that a processor has.
# MKL heeds MKL_ENABLE_INSTRUCTIONS on Intel's processors alone, and this on AMD's too: 66 to 20 GFLOP/s (Zen 3).
PYTORCH_LIMITS = {
    "portable": {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"},
    "avx512": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "vnni": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_VNNI"},
}


# Sets beyond which `cpuid.c` hides instructions. Rivals' packages are built for more than "portable".
HIDEABLE = ("avx2", "avxvnni", "avx512", "vnni")


@functools.cache
def hiding():
    """The library that hides instructions from a process, compiled once; None where processor, system or compiler cannot."""
    info = Path("/proc/cpuinfo")
    if not info.exists() or "cpuid_fault" not in info.read_text() or not shutil.which("cc"):
        return None
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    library = Path(folder, "cpuid.so")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, BENCH / "cpuid.c"], check=True)
    return library


def environment(threads, isa=None):
    """For a child process: no library starts more threads than it has cores, or takes instructions beyond the set as far as that can be had."""
    limits = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")}
    if isa in HIDEABLE and hiding():
        limits |= {"LD_PRELOAD": str(hiding()), "CPUID_SET": isa}
    return os.environ | limits | PYTORCH_LIMITS.get(isa, {}) | {"TOKENIZERS_PARALLELISM": "false"}


def pinned(threads):
    """Run in a child before it starts: everything in it sees these cores and no others."""
    allowed = cores(threads)
    return lambda: os.sched_setaffinity(0, allowed)


def in_turns(rounds, sides):
    """`{name: samples}` of measurements by name, each in seconds of the clock and of processors; every round asks all of them, so that a slow minute is slow for all."""
    samples = {name: [] for name in sides}
    for _ in range(rounds):
        for name, measure in sides.items():
            samples[name].append(measure())
    return samples
