"""Scores AI-generated images: how good they look, and how well they show their prompts.

`Scorer` runs one process of the program `trainer`, which is installed with this package.

    >>> from tsp_mgs import Scorer
    >>> with Scorer("my-model") as scorer:
    ...     [score] = scorer.score(["cat.png"], ["a cat on a sofa"])
"""

from importlib.metadata import PackageNotFoundError, version

from tsp_mgs.filter import TrainerFailed
from tsp_mgs.scorer import ImageError, Score, Scorer

try:
    __version__ = version("tsp-mgs")
except PackageNotFoundError:  # a source tree on the path that is not installed
    __version__ = "0"

__all__ = ["ImageError", "Score", "Scorer", "TrainerFailed", "__version__"]
