"""The flags and the error messages that the engines share."""

import argparse
import os
import re
import shutil

from tsp_mgs import program
from tsp_mgs.filter import Settings, TrainerFailed


def parser(description, engine):
    """The parser of the flags that every engine has. `engine` is the text after the flags in the help."""
    layout = argparse.RawDescriptionHelpFormatter
    flags = argparse.ArgumentParser(description=description, epilog=engine, formatter_class=layout)
    add = flags.add_argument
    add("flags", nargs="*", metavar="-- FLAG", help="flags of trainer score, such as -- --model DIR --crops 5")
    add("--input", required=True, help="folder of Parquet files, or a pattern of their names")
    add("--output", required=True, help="folder of the results, which are Parquet files; it must not exist")
    add("--image", required=True, metavar="NAME", help="column of the images: bytes, paths, or Hugging Face's images")
    add("--prompt", metavar="NAME", help="column of the prompts")
    add("--keep", metavar="NAMES", help="columns of the input that the output keeps, such as id,url; default: all, including images")
    add("--trainer", metavar="PATH", help="path of the program, equal on all machines; default: that of this package, or the one on PATH")
    add("--threads", type=int, default=1, metavar="N",
        help="processors of each process, for decoding, and for computing without a GPU; default: 1")
    add("--device", default="cpu", help="device as for trainer score: cpu, cuda, wgpu; default: cpu")
    return flags


def settings_of(flags):
    """Converts the parsed flags to settings."""
    keep = tuple(name.strip() for name in flags.keep.split(",")) if flags.keep else None
    try:
        trainer = shutil.which(flags.trainer) if flags.trainer else program.find()
    except FileNotFoundError as error:
        raise TrainerFailed(str(error)) from None
    if trainer is None:
        raise TrainerFailed(f"found no program {flags.trainer}; pass its path as --trainer")
    return Settings(os.path.abspath(trainer), flags.image, flags.prompt, keep, flags.threads, flags.device, tuple(flags.flags))


def reason(error):
    """The one line of a long error that a user needs: the message of `trainer`, or else what Python raised."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line.split("TrainerFailed: ", 1)[1] for line in lines if "TrainerFailed: " in line]
    raised = [line for line in lines if re.match(r"[\w.]+(Error|Exception): ", line)]
    return (ours or raised or lines or [type(error).__name__])[0]
