"""Scores images from Python, with one `trainer score --stream arrow` process that is kept between calls."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, fields
from types import TracebackType

import pyarrow as pa

from tsp_mgs import images as inputs
from tsp_mgs import program
from tsp_mgs.filter import ROWS, Filter, Settings
from tsp_mgs.images import ImageLike


@dataclass(frozen=True)
class Score:
    """The result of one image. Scores are on the opinion scale of 0 to 5, not clipped; higher is better."""

    perception: float | None
    """How good the image looks. None if the model does not score perception, or if there is an error."""
    alignment: float | None
    """How well the image shows its prompt. None if the model does not score alignment, the image has no prompt, or there is an error."""
    prompt_source: str | None
    """Where the prompt is from: "table" for an argument, "sidecar" for a file beside the image, or the kind of metadata."""
    prompt_truncated: bool | None
    """Whether the prompt was longer than CLIP reads and was cut."""
    width: int | None
    """Width of the upright image in pixels."""
    height: int | None
    """Height of the upright image in pixels."""
    crops: int
    """Number of crops."""
    device: str
    """Name of the device."""
    model: str
    """Name and hash of the weights."""
    notes: str | None
    """Notes on the result, joined by semicolons."""
    error: str | None
    """Why there is no score; None if there is one."""


class ImageError(Exception):
    """Some images could not be scored. `scores` has the result of each image, with an `error` for those that failed."""

    def __init__(self, scores: list[Score], paths: Sequence[str | None]):
        """`scores` has the result of each image, `paths` its path or None."""
        failed = [i for i, score in enumerate(scores) if score.error is not None]
        first = failed[0]
        name = f"images[{first}]" + (f" ({paths[first]})" if paths[first] is not None else "")
        super().__init__(f"{len(failed)} of {len(scores)} images could not be scored; {name}: {scores[first].error}")
        self.scores = scores


class Scorer:
    """A model that scores images, in a process of its own.

    The constructor starts the process, so that it raises an error for a wrong model. If the process fails or is killed, one
    call raises an error, and the next call starts a new process. Calls from several threads wait for each other. Use it in a
    `with` statement, or call `close`. Otherwise the process ends with this object.

        >>> with Scorer("my-model") as scorer:
        ...     for score in scorer.score(["cat.png", "dog.png"], ["a cat on a sofa", "a dog in the snow"]):
        ...         print(score.perception, score.alignment)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        *,
        clip: str | os.PathLike[str] | None = None,
        device: str = "auto",
        crops: int | None = None,
        threads: int | None = None,
        flags: Sequence[str] = (),
        trainer: str | os.PathLike[str] | None = None,
    ):
        """Starts the process and loads the model.

        `model` is the folder of a bundle, as for `trainer score --model`. `clip` is a file of CLIP weights, as for `--clip`.
        Without both, the built-in demonstration is used, which was trained on synthetic images only. `crops` is the number of
        crops (fewer are faster and less exact), `threads` the number of processors to use (default: all), `flags`
        further flags of `trainer score`, and `trainer` the program's path (default: that of this package).

        Raises FileNotFoundError if there is no program, and TrainerFailed with the program's message if it fails.
        """
        own = [f"--{name}={value}" for name, value in (("model", model), ("clip", clip), ("crops", crops)) if value is not None]
        settings = Settings(
            trainer=os.fspath(trainer) if trainer is not None else program.find(),
            image="image",
            prompt="prompt",
            keep=(),
            threads=threads if threads is not None else available_processors(),
            device=device,
            flags=(*own, *flags),
        )
        self._filter = Filter(settings)
        self._lock = threading.Lock()
        self._results = pa.schema([])
        for answer in self._filter.score_all([pa.RecordBatch.from_pylist([], schema=inputs.SCHEMA)]):
            self._results = answer.schema

    def score(
        self,
        images: Sequence[ImageLike] | pa.Array | pa.ChunkedArray,
        prompts: Sequence[str | None] | pa.Array | pa.ChunkedArray | str | None = None,
    ) -> list[Score]:
        """Scores images in their order.

        An image is a path, the bytes of an image file, or a PIL image. `images` may also be an Arrow array of paths, bytes or
        Hugging Face's images. `prompts` is a list with a prompt for each image, or one prompt for all. If a prompt is None, it is
        read from the file beside the image (NAME.txt, NAME.json) or from the image's metadata, which PIL images do not have. An
        image without a prompt gets no alignment score.

        Raises TypeError or ValueError if images or prompts have a wrong type or number, ImageError if some images could not be
        scored, and TrainerFailed if the process failed.
        """
        names = [field.name for field in fields(Score)]
        if isinstance(images, (pa.Array, pa.ChunkedArray)):
            texts = one_per_image(prompts, len(images))
            inputs.check_count(images, texts)
            table = pa.table({"image": images, "prompt": pa.array(texts, pa.string())})
            rows = self.score_table(table, prompt="prompt").select(names).to_pylist()
        else:
            if isinstance(images, (str, bytes, os.PathLike)) or not isinstance(images, Sequence):
                raise TypeError(f"images: expected a list of images, found {type(images).__name__}; put one image into a list: [image]")
            texts = one_per_image(prompts, len(images))
            inputs.check(images, texts)
            with self._lock:
                answers = self._filter.score_all(inputs.batches(images, texts, ROWS))
                rows = [row for answer in answers for row in answer.select(names).to_pylist()]
        scores = [Score(**row) for row in rows]
        if any(score.error is not None for score in scores):
            raise ImageError(scores, [inputs.path(image) for image in images])
        return scores

    def score_table(self, table: pa.Table, *, image: str = "image", prompt: str | None = None) -> pa.Table:
        """Scores the rows of an Arrow table, and returns the table with the columns of `Score` appended.

        The column named `image` has paths, bytes of image files, or Hugging Face's images. The column named `prompt`, if given,
        has texts. Paths are relative to the working directory at the start of the process. A row that cannot be scored has an
        `error` and no scores.

        Raises ValueError if a column is missing or has the name of a result, TypeError if a column has a wrong type, and
        TrainerFailed if the process failed.
        """
        for name in (image, *([prompt] if prompt is not None else [])):
            if name not in table.column_names:
                raise ValueError(f"expected a column `{name}`, found {', '.join(table.column_names)}")
        taken = [name for name in self._results.names if name in table.column_names]
        if taken:
            raise ValueError(f"the table has a column `{taken[0]}` already; leave it out or rename it")
        texts = pa.nulls(table.num_rows, pa.string()) if prompt is None else table[prompt].cast(pa.string())
        given = pa.table({"image": inputs.arrow_column(table[image], image), "prompt": texts}, schema=inputs.SCHEMA)
        with self._lock:
            answers = list(self._filter.score_all(given.combine_chunks().to_batches(max_chunksize=ROWS)))
        results = pa.Table.from_batches(answers, schema=self._results)
        for field in self._results:
            table = table.append_column(field, results[field.name])
        return table

    def close(self) -> None:
        """Ends the process. Raises TrainerFailed if it fails."""
        with self._lock:
            self._filter.close()

    def __enter__(self) -> Scorer:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def one_per_image(prompts: Sequence[str | None] | pa.Array | pa.ChunkedArray | str | None, images: int) -> list[str | None]:
    """A list with a prompt for each image, from a list, an Arrow array, or one prompt for all images."""
    if prompts is None or isinstance(prompts, str):
        return [prompts] * images
    return prompts.to_pylist() if isinstance(prompts, (pa.Array, pa.ChunkedArray)) else list(prompts)


def available_processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
