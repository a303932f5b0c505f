"""Decode a JPEG of 1024 × 1024 and make sixteen views of it."""

import ours
from compare import EXACT, JPEG, same, task
from material import photos, weights
from report import Row
from rival import Rival
from setting import in_turns

SIDE = 1024
FLAGS = ["--task", "perception", "--alpha", "0.5", "--no-fine"]
NOTE = "ours scores too, with a CLIP of one layer of 16, as nothing of the views can be seen otherwise; the rivals' model is not timed"


def run(setting):
    checkpoint = weights(setting, "pixels")
    files, exact = photos(setting, setting.pick(33, 65), SIDE, "jpg"), photos(setting, 4, SIDE, "bmp")
    for threads in setting.threads:
        with (
            Rival(setting, "views", threads, weights=checkpoint, size="pixels", way="published") as published,
            Rival(setting, "views", threads, weights=checkpoint, size="pixels", way="careful") as careful,
        ):
            row = Row("views", f"JPEG of {SIDE} × {SIDE}, 16 views", "images/s", threads, at_least={"published": 10.0}, note=NOTE)
            sides = {"ours": lambda: ours.seconds_each(setting, threads, checkpoint, files, *FLAGS)}
            for rival in (published, careful):
                for checked, bound in ((files[:4], JPEG), (exact, EXACT)):
                    found = [task(line) for line in ours.score(setting, threads, checkpoint, checked, *FLAGS).rows]
                    result = same(rival.version, found, rival.ask(what="score", files=checked), bound)
                row.compared.append(result)
                sides[rival.version] = lambda rival=rival: rival.ask(what="seconds_each", files=files[: setting.pick(4, 16)])
            yield row.timed(in_turns(setting.rounds, sides))
