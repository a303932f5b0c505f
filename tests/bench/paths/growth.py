"""How time and memory grow: with images, views, length of the prompt, side of the image. Each score is checked to be a number."""

import math

import ours
from material import PATCHES, long_prompts, many, photos, weights
from report import Growth
from setting import Wrong

BOTH_VIEWS = ["--task", "perception", "--alpha", "0.5", "--no-fine"]


def run(setting):
    threads = setting.threads[-1]
    small = weights(setting, "pixels")
    yield Growth("growth", "a CLIP of one layer of 16, 512 × 512 BMP", "images", [
        measured(setting, threads, small, count, [many(setting, count)], count, *PATCHES, "--crops", "1")
        for count in setting.pick([100, 1000], [1000, 10_000, 100_000])
    ], threads, "whole runs, start included")

    size = setting.pick("two-layers", "vit-b-32")
    # The whole image, and the windows beside it: 1 to 63 views.
    views = {1: [*PATCHES, "--crops", "1"]} | {count: [*BOTH_VIEWS, "--crops", str(count - 1)] for count in setting.pick([4, 16], [2, 4, 8, 16, 32, 63])}
    yield Growth("growth", f"{size}, 512 × 512 BMP", "views", [
        each(setting, threads, weights(setting, size), count, photos(setting, 33)[: setting.pick(5, 9)], *flags) for count, flags in views.items()
    ], threads)

    texts = setting.pick("texts-two-layers", "texts")
    count = setting.pick(9, 33)
    yield Growth("growth", f"{texts}, alignment, different prompts", "tokens of the prompt", [
        each(setting, threads, weights(setting, texts), length, sorted(long_prompts(setting, count, length).glob("*.bmp")),
             "--task", "alignment", "--inputs", "image")
        for length in setting.pick([5, 70], [1, 5, 10, 20, 40, 70])
    ], threads, "six texts an image; what is left of the image tower is one layer of 16")

    yield Growth("growth", "a CLIP of one layer of 16, JPEG, 16 views", "pixels a side", [
        each(setting, threads, small, side, photos(setting, 5, side, "jpg"), *BOTH_VIEWS)
        for side in setting.pick([224, 1024], [224, 512, 1024, 2048, 4096, 8192])
    ], threads)


def measured(setting, threads, model, x, paths, count, *flags):
    run = ours.score(setting, threads, model, paths, *flags)
    scores = [row["perception" if row.get("perception") else "alignment"]["score"] for row in run.rows if "error" not in row]
    if len(scores) != count or not all(map(math.isfinite, scores)):
        raise Wrong(f"growth, {x}: {len(scores)} of {count} images were scored, {sum(map(math.isfinite, scores))} with a number")
    return {"x": x, "seconds": run.seconds / count, "bytes": run.peak_bytes}


def each(setting, threads, model, x, files, *flags):
    """Seconds that an image adds; the start falls out as in `ours.seconds_each`."""
    few, all_of_them = (measured(setting, threads, model, x, paths, len(paths), *flags) for paths in (files[:1], files))
    seconds = (all_of_them["seconds"] * len(files) - few["seconds"]) / (len(files) - 1)
    return all_of_them | {"seconds": seconds}
