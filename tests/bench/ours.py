"""`trainer score` as a user runs it, timed from outside."""

import json
import os
import subprocess
import time
from dataclasses import dataclass

from setting import NotMeasured, Wrong, environment, pinned


@dataclass
class Scored:
    seconds: float
    busy: float  # seconds of processors
    peak_bytes: int
    rows: list[dict]


def score(setting, threads, model, paths, *flags):
    """Runs `trainer score` to its end; `model` is a bundle's folder or a checkpoint.

    The peak is the kernel's, which starts at the parent's own size: hence no PyTorch in this process.
    Raises `NotMeasured` where the processor lacks an instruction set or precision, `Wrong` for any other failure.
    """
    source = ["--model", model] if model.is_dir() else ["--clip", model]
    limit = ["--isa", setting.isa] if setting.isa else []
    command = [setting.trainer, "score", "--device", "cpu", "--format", "jsonl", *source, *limit, *flags, *paths]
    command = [str(part) for part in command]
    start = time.perf_counter()
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes, env=environment(threads), preexec_fn=pinned(threads)) as process:
        output = process.stdout.read()
        complaint = process.stderr.read()  # a few lines: standard output ends first
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    complaint = complaint.decode().strip()
    # Code 2 is wrong usage: for what the processor lacks if the sentence says so, else for what the bench wrote.
    if process.returncode == 2 and "this processor" in complaint:
        raise NotMeasured(complaint.splitlines()[-1].removeprefix("error: "))
    if process.returncode:
        raise Wrong(f"trainer score ended with {process.returncode}: {complaint[-500:]}")
    return Scored(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, [json.loads(line) for line in output.splitlines()])


def seconds_each(setting, threads, model, paths, *flags, base=1):
    """What each further image adds to a run: the start, which loads the weights, is in both runs and falls out.

    Seconds of the clock, and of processors.
    """
    few = score(setting, threads, model, paths[:base], *flags)
    return further(few, score(setting, threads, model, paths, *flags), len(paths) - base)


def further(few, many, units):
    """Seconds a unit of work, of the clock and of processors, that the second run took longer."""
    return (many.seconds - few.seconds) / units, (many.busy - few.busy) / units
