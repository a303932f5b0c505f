"""The whole score from files: decode, sixteen views, both tasks, every image with its prompt; in float32, 8 bits and bfloat16."""

from contextlib import ExitStack

import ours
from compare import EXACT, JPEG, same
from material import scenes, weights, without_loss
from report import Row
from rival import Rival
from setting import in_turns

WAYS = ["careful", "loop", "published"]
NOTE = ("512 × 512 JPEG, eight images a prompt, one prompt after another; DataLoader and plain loop cut the windows that they need and encode equal texts once, the published "
        "way unfolds the grid and encodes 11 padded texts an image")
# What 8-bit products moved scores by on seeded weights (docs/performance.md), and what decoders add.
FEWER_BITS = 0.06


def run(setting):
    images = sorted(scenes(setting, setting.pick(16, 1000)), key=lambda image: image.with_suffix(".txt").read_text())
    size = setting.pick("two-and-two", "vit-b-32")
    checkpoint = weights(setting, size)
    for threads in setting.threads:
        with ExitStack() as stack:
            rivals = [stack.enter_context(Rival(setting, "score", threads, weights=checkpoint, size=size, way=way)) for way in WAYS]
            for precision in ("f32", "int8", "bf16"):
                case = f"{size}, both tasks, 16 views, {precision}"
                row = Row("whole", case, "images/s", threads, setting.isa, at_least={"PyTorch": 3.0}, note=NOTE)
                yield row.filled(lambda row: measured(setting, threads, checkpoint, images, rivals, precision, row))


def measured(setting, threads, checkpoint, images, rivals, precision, row):
    flags = ["--task", "both", "--precision", precision]
    for rival in rivals:
        row.compared.append(compared(setting, threads, checkpoint, images[:: len(images) // 4], rival, flags, precision))
    # In the order of their prompts, so that a part tells the rate of all.
    share = setting.pick(8, 32)
    turns = {name: 0 for name in ["ours", *WAYS]}

    def part(name, count):
        start = turns[name] * share % (len(images) - share + 1)
        turns[name] += 1
        return images[start : start + count]

    sides = {"ours": lambda: ours.seconds_each(setting, threads, checkpoint, part("ours", share), *flags)}
    for way, rival in zip(WAYS, rivals):
        count = setting.pick(3, 11)
        sides[rival.version] = lambda way=way, rival=rival: rival.ask(what="seconds_each", files=part(way, count))
    return row.timed(in_turns(setting.rounds, sides))


def compared(setting, threads, checkpoint, images, rival, flags, precision):
    """The same pixels to the last bit first; then the JPEG files, whose decoders are not ours to compare."""
    for files, bound in ((images, JPEG), (without_loss(setting, images), EXACT)):
        rows = ours.score(setting, threads, checkpoint, files, *flags).rows
        found = [[row["perception"]["score"], row["alignment"]["score"]] for row in rows]
        result = same(rival.version, found, rival.ask(what="score", files=files), bound if precision == "f32" else FEWER_BITS)
    return result
