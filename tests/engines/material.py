"""Shared code of the tests of the engines: rows with real images, their scores by one process, and drivers whose processes are killed."""

import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "trainer/python"
TRAINER = Path(os.environ["TRAINER"]).resolve()
sys.path.insert(0, str(PACKAGE))

ROWS, FILES = 2000, 8
SCORES = ["perception", "alignment", "prompt_source", "prompt_truncated", "width", "height", "crops", "device", "model", "notes"]
# Drivers run from the source tree.
FINDS_PACKAGE = {"PYTHONPATH": str(PACKAGE)}
# One crop, so that scoring takes little of the time.
FLAGS = ("--crops", "1")
# Eight images with one crop are one matrix. At the end of a record batch a matrix has fewer rows, whose products are rounded in
# another way: 5e-7 was seen. With 16 views an image is a separate matrix, and scores are equal to the last bit.
BOUND = 1e-5


def rows():
    """Different parts of photographs, with prompts. Some rows have no image, no prompt, or bytes that are not an image."""
    photos = [Image.open(path).convert("RGB") for path in sorted((ROOT / "www/samples").glob("*.jpg"))]
    prompts = [path.read_text().strip() for path in sorted((ROOT / "www/samples").glob("*.txt"))]

    def image(row):
        if row % 97 == 5:
            return None
        if row % 101 == 7:
            return [b"", b"no image", jpeg(row)[:40]][row % 3]
        return jpeg(row)

    def jpeg(row):
        left, top, out = row % 50, row // 50, io.BytesIO()
        photos[row % len(photos)].crop((left, top, left + 160, top + 120)).save(out, "JPEG", quality=85)
        return out.getvalue()

    return pa.table({
        "key": pa.array(range(ROWS), pa.int64()),
        "jpg": pa.array([image(row) for row in range(ROWS)], pa.binary()),
        "text": pa.array([None if row % 13 == 1 else prompts[row % len(prompts)] for row in range(ROWS)]),
        "tags": pa.array([[row, row + 1] if row % 3 else None for row in range(ROWS)], pa.list_(pa.int32())),
    })


def write(table, folder, files=FILES):
    """Writes a data set of several Parquet files."""
    folder.mkdir()
    step = -(-table.num_rows // files)
    for i in range(files):
        pq.write_table(table.slice(i * step, step), folder / f"{i:02}.parquet")


def single(folder, table, flags=FLAGS):
    """The scores of the same rows by one process without an engine, in their order."""
    pq.write_table(table, folder / "rows.parquet")
    run = [TRAINER, "score", "--from", "rows.parquet", "--columns", "id=key,image=jpg,prompt=text", "--output", "scores.parquet"]
    run = subprocess.run([*run, "--device", "cpu", *flags], cwd=folder, capture_output=True, text=True)
    if run.returncode != 1:  # 1: some rows have an error
        raise AssertionError(run.stderr)
    return pq.read_table(folder / "scores.parquet")


def watched(folder):
    """A program that writes its process id to a file and becomes the trainer."""
    path, starts = folder / "trainer", folder / "starts"
    path.write_text(f'#!/bin/sh\necho $$ >> "{starts}"\nexec "{TRAINER}" "$@"\n')
    path.chmod(0o755)
    starts.write_text("")
    return path, lambda: [int(line) for line in starts.read_text().split()]


def module(name):
    """The command of one of the drivers."""
    return [sys.executable, "-m", f"tsp_mgs.engines.{name}"]


def driver(name, trainer, source, output, *flags, environment=None, trainer_flags=FLAGS, **options):
    """Starts the command of a driver as a user types it."""
    command = [*module(name), "--input", source, "--output", output, "--image", "jpg", "--prompt", "text",
               "--trainer", trainer, *flags, "--", *trainer_flags]
    return subprocess.Popen(list(map(str, command)), env=os.environ | FINDS_PACKAGE | (environment or {}), **(
        dict(stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) | options))


def kill(starts, run, is_ready, whom):
    """Kills the process that `whom` returns for the first trainer that is ready and still runs."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None:
        for trainer in starts():
            try:
                if is_ready(trainer):
                    return os.kill(whom(trainer), signal.SIGKILL)
            except OSError:
                pass  # It has just ended.
        time.sleep(0.02)
    run.kill()
    raise AssertionError(f"no trainer was seen at work; the engine said: {run.communicate()[0]}")


def kill_when_busy(starts, run, whom):
    """As `kill`, when a trainer has read a part of its rows."""
    kill(starts, run, lambda trainer: bytes_read(trainer) > 500_000, whom)


def bytes_read(process):
    return int(Path(f"/proc/{process}/io").read_text().split()[1])


def parent(process):
    """The worker that started a trainer."""
    return int(Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[1])


def check(test, output, rows, bound=BOUND, keep=None):
    """Asserts that each row is there once with unchanged columns, and that scores equal those of one process within the bound."""
    given, expected = rows.table, rows.expected
    test.assertTrue((output / "_SUCCESS").is_file())
    found = pq.read_table(output).sort_by("key")
    test.assertEqual(found["key"].to_pylist(), given["key"].to_pylist())
    names = given.column_names if keep is None else keep
    test.assertEqual(found.column_names, [*names, *SCORES, "error"])
    for name in names:
        test.assertEqual(found[name].to_pylist(), given[name].to_pylist(), name)
    for name in SCORES:
        same(test, found[name].to_pylist(), expected[name].to_pylist(), bound)
    for ours, theirs in zip(found["error"].to_pylist(), expected["error"].to_pylist(), strict=True):
        # The error of a row without an image has its number, which differs in a stream.
        test.assertEqual(ours and re.sub("row .* has", "row has", ours), theirs and re.sub("row .* has", "row has", theirs))


def same(test, found, expected, bound):
    """Asserts that floats are within the bound and that all other values are equal."""
    test.assertEqual(len(found), len(expected))
    for row, (ours, theirs) in enumerate(zip(found, expected, strict=True)):
        if isinstance(theirs, float) and isinstance(ours, float):
            test.assertLessEqual(abs(ours - theirs), bound, f"row {row}")
        else:
            test.assertEqual(ours, theirs, f"row {row}")


def error(said):
    """The error message for the user. Engines print more before and after it."""
    lines = [line for line in said.splitlines() if line.startswith("error: ")]
    return lines[-1] if lines else said[-3000:]


class Rows:
    """A data set in a folder, and its scores by one process."""

    def __init__(self, folder, count=ROWS, flags=FLAGS):
        folder.mkdir(exist_ok=True)
        self.table = rows().slice(0, count)
        write(self.table, folder / "rows")
        self.expected = single(folder, self.table, flags)
