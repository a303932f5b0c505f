"""The flags that engines share, and what they say of an error."""

import argparse
import os
import re
import shutil

from tsp_mgs import program
from tsp_mgs.filter import Settings, TrainerFailed


def parser(description, engine):
    """Flags that every engine has; `engine` is what only this one has to say."""
    layout = argparse.RawDescriptionHelpFormatter
    flags = argparse.ArgumentParser(description=description, epilog=engine, formatter_class=layout)
    add = flags.add_argument
    add("flags", nargs="*", metavar="-- FLAG", help="of trainer score: -- --model DIR --crops 5")
    add("--input", required=True, help="folder or pattern of Parquet files")
    add("--output", required=True, help="folder of the results, Parquet; it must not be there yet")
    add("--image", required=True, metavar="NAME", help="column of the images: bytes, paths, or Hugging Face's images")
    add("--prompt", metavar="NAME", help="column of the prompts")
    add("--keep", metavar="NAMES", help="columns of the input that the output has, too: id,url; default: all, images included")
    add("--trainer", metavar="PATH", help="the program, at the same place on every machine; default: that of this package, else by PATH")
    add("--threads", type=int, default=1, metavar="N",
        help="processors of each process: to decode, and to compute without a GPU; default: 1")
    add("--device", default="cpu", help="as of trainer score: cpu, cuda, wgpu; default: cpu")
    return flags


def settings_of(flags):
    """What was parsed, as settings."""
    keep = tuple(name.strip() for name in flags.keep.split(",")) if flags.keep else None
    try:
        trainer = shutil.which(flags.trainer) if flags.trainer else program.find()
    except FileNotFoundError as error:
        raise TrainerFailed(str(error)) from None
    if trainer is None:
        raise TrainerFailed(f"there is no program {flags.trainer}; name it by --trainer")
    return Settings(os.path.abspath(trainer), flags.image, flags.prompt, keep, flags.threads, flags.device, tuple(flags.flags))


def reason(error):
    """What a user has to know of an error that may be pages long: what was raised in Python, `trainer`'s words before others."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line.split("TrainerFailed: ", 1)[1] for line in lines if "TrainerFailed: " in line]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (ours or raised or lines or [type(error).__name__])[0]
