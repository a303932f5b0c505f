"""Shared code of the tests of the installed packages."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "www/samples"
PROGRAM = Path(sys.prefix) / "bin/trainer"
# One crop on one processor, so that scoring takes little of the time.
QUICK = {"crops": 1, "device": "cpu", "threads": 1}


def run(*command, **options):
    """Runs an installed command in a folder outside of the source tree."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(list(map(str, command)), cwd="/", env=environment, capture_output=True, text=True, **options)
