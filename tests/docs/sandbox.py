"""A folder in which the commands of the documents run: small files with the names in the documents."""

import os
import shutil
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from documents import ROOT

TRAINER = Path(os.environ["TRAINER"]).resolve()
SAMPLES = ("cat", "fish")

# These values of flags make a command take seconds instead of hours. A flag with None is removed.
SMALL = {
    "score": {"--crops": "1", "--device": "cpu"},
    "serve": {"--crops": "1", "--device": "cpu", "--listen": "127.0.0.1:0"},
    "device": {"--device": "cpu", "--views": "1"},
    "synth": {"--images": "24"},
    "train": {"--epochs": "1", "--period": "1", "--batch": "8", "--train-crops": "1", "--crops": "1", "--device": "cpu", "--warm-up": None},
    "evaluate": {"--crops": "1", "--device": "cpu"},
    "reproduce": {"--epochs": "1", "--batch": "8", "--train-crops": "1", "--crops": "1", "--repeats": "1", "--device": "cpu", "--devices": None},
}


def make(folder):
    """Makes the files in the folder."""
    for name in ("www/samples", "photos", "rows/00", "target/pictures"):
        (folder / name).mkdir(parents=True)
    for name in SAMPLES:
        for suffix in ("jpg", "txt"):
            for place in ("www/samples", "photos", "target/pictures"):
                shutil.copy(ROOT / f"www/samples/{name}.{suffix}", folder / place)
    (folder / "list.txt").write_text("".join(f"photos/{name}.jpg\n" for name in SAMPLES))
    images = [(folder / f"photos/{name}.jpg").read_bytes() for name in SAMPLES]
    pq.write_table(pa.table({"key": list(SAMPLES), "jpg": images, "text": ["a cat", "a fish"]}), folder / "rows.parquet")
    pq.write_table(pa.table({"id": list(SAMPLES), "image": images, "prompt": ["a cat", "a fish"]}), folder / "data.parquet")
    # A page to serve. The server needs only an index.
    (folder / "www/dist").mkdir()
    (folder / "www/dist/index.html").write_text("<!doctype html><title>stand-in</title>")
    (folder / "trainer/assets").mkdir(parents=True)
    # The built-in weights replace CLIP's, and 24 synthetic images replace AGIQA-3K.
    run(folder, ["export", "--dtype", "f32", "--out", "my-model"])
    shutil.copy(folder / "my-model/weights-01.safetensors", folder / "model.safetensors")
    # An existing path is preferred to a name on the hub.
    (folder / "openai/clip-vit-base-patch32").mkdir(parents=True)
    shutil.copy(folder / "model.safetensors", folder / "openai/clip-vit-base-patch32")
    run(folder, ["synth", "--out", "data/AGIQA-3K", "--images", "24", "--seed", "1"])
    run(folder, ["splits", "make", "--data", "data/AGIQA-3K", "--out", "data/AGIQA-3K/splits"])
    run(folder, ["train", "--data", "data/AGIQA-3K", "--model", "my-model", "--joint", "--out", "run"])


def small(arguments):
    """The arguments with the values of `SMALL`."""
    found = list(arguments)
    for flag, value in SMALL.get(arguments[0], {}).items():
        at = next((i for i, word in enumerate(found) if word.split("=")[0] == flag), None)
        if at is not None:
            del found[at : at + (1 if "=" in found[at] else 2)]
        if value is not None:
            found += [flag, value]
    return found


def run(folder, arguments):
    """Runs `trainer` with small values. Raises AssertionError with its messages if it fails."""
    done = subprocess.run([TRAINER, *small(arguments)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, f"trainer {' '.join(arguments)}: exit code {done.returncode}\n{done.stderr[-2000:]}"
    return done
