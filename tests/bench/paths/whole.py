"""The whole score from files: decode, sixteen views, both tasks, every image with its prompt."""

import ours
from compare import EXACT, JPEG, same
from material import scenes, weights, without_loss
from report import Row
from rival import Rival
from setting import in_turns

NOTE = ("512 × 512 JPEG, eight images a prompt; `careful` cuts the windows that it needs and encodes equal texts once, `published` unfolds the grid "
        "and encodes 11 padded texts an image")


def run(setting):
    # Five rounds of 200 are the 1,000 images.
    images = scenes(setting, setting.pick(16, 1000))
    size = setting.pick("two-and-two", "vit-b-32")
    checkpoint = weights(setting, size)
    for threads in setting.threads:
        with (
            Rival("score", threads, weights=checkpoint, size=size, way="careful") as careful,
            Rival("score", threads, weights=checkpoint, size=size, way="published") as published,
        ):
            row = Row("whole", f"{size}, both tasks, 16 views", "images/s", threads, at_least={"PyTorch": 3.0}, note=NOTE)
            for rival in (careful, published):
                row.compared.append(compared(setting, threads, checkpoint, images[:: len(images) // 4], rival))
            share = len(images) // setting.rounds
            # The published way takes as long for each image as for the next; fewer of them tell as much.
            few = setting.pick(3, 20)
            turns = {name: iter(range(setting.rounds)) for name in ("ours", "careful", "published")}
            part = lambda name, count: images[(turn := next(turns[name])) * share : turn * share + count]  # noqa: E731
            yield row.timed(in_turns(setting.rounds, {
                "ours": lambda: ours.seconds_each(setting, threads, checkpoint, part("ours", share), "--task", "both"),
                careful.version: lambda: careful.ask(what="seconds_each", files=part("careful", share)),
                published.version: lambda: published.ask(what="seconds_each", files=part("published", few)),
            }))


def compared(setting, threads, checkpoint, images, rival):
    """The same pixels to the last bit first; then the JPEG files, whose decoders are not ours to compare."""
    for files, bound in ((images, JPEG), (without_loss(setting, images), EXACT)):
        rows = ours.score(setting, threads, checkpoint, files, "--task", "both").rows
        found = [[row["perception"]["score"], row["alignment"]["score"]] for row in rows]
        result = same(rival.version, found, rival.ask(what="score", files=files), bound)
    return result
