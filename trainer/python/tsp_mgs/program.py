"""Finds the program `trainer` that is installed with this package."""

import os
import shutil
import sys
import sysconfig
from pathlib import Path

NAME = "trainer" + (sysconfig.get_config_var("EXE") or "")


def find() -> str:
    """The path of the program in this installation, or the first one on PATH.

    Raises FileNotFoundError if there is none.
    """
    user = sysconfig.get_preferred_scheme("user")
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", scheme=user),
        # `pip install --target DIR` puts programs into DIR/bin.
        Path(__file__).parents[1] / "bin",
    ]
    for folder in folders:
        program = os.path.join(folder, NAME)
        if os.access(program, os.X_OK):
            return program
    program = shutil.which(NAME)
    if program is None:
        raise FileNotFoundError(
            f"expected the program {NAME} in {', '.join(map(str, folders))} or on PATH, found none; "
            "install the package again, or build the program with cargo and pass its path"
        )
    return program


def main() -> int:
    """Runs the program with the arguments of this process, and returns its exit code."""
    command = [find(), *sys.argv[1:]]
    if os.name != "nt":
        os.execv(command[0], command)
    import subprocess

    return subprocess.run(command).returncode
