"""Scores AI-generated images: how good they look, and how well they show their prompts.

`Scorer` owns one process of the program `trainer`, which is installed with this package.
"""

from importlib.metadata import PackageNotFoundError, version

from tsp_mgs.filter import TrainerFailed
from tsp_mgs.scorer import ImageError, Score, Scorer

try:
    __version__ = version("tsp-mgs")
except PackageNotFoundError:  # a source tree that is on the path without being installed
    __version__ = "0"

__all__ = ["ImageError", "Score", "Scorer", "TrainerFailed", "__version__"]
