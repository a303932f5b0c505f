"""What the tests of the installed packages share."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "www/samples"
PROGRAM = Path(sys.prefix) / "bin/trainer"
# One crop on one processor: the time goes into what is tested.
QUICK = {"crops": 1, "device": "cpu", "threads": 1}


def run(*command, **options):
    """A command that was installed, from a folder that has nothing of the source tree."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(list(map(str, command)), cwd="/", env=environment, capture_output=True, text=True, **options)
