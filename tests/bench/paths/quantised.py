"""The image tower with 8-bit weights on the CPU, sixteen views at once; and how far 8 bits move a score, ours and the rival's."""

import ours
from compare import difference, same, task
from material import PATCHES, bundle, photos, tower, weights
from report import Row
from rival import Rival
from setting import in_turns

BATCH = 16
# Ours may be off by as much as 8-bit weights alone moved sample photographs (README, 0.013), and as much again for 8-bit products.
BOUND = 0.03


def run(setting):
    size = setting.pick("two-layers", "vit-b-32")
    files, checkpoint, q8 = photos(setting, 33), weights(setting, size), bundle(setting, size, "q8", "--vision-only", *PATCHES)
    flags = ["--crops", str(BATCH), "--precision", "int8"]
    ours.needs(setting, "--precision", "8-bit products")
    for threads in setting.threads:
        with (
            Rival("tower", threads, runtime="onnxruntime int8", weights=checkpoint, size=size, onnx=tower(setting, size, "int8")) as int8,
            Rival("tower", threads, runtime="torch", weights=checkpoint, size=size) as fp32,
        ):
            checked = files[: setting.pick(2, 8)]
            exact = fp32.ask(what="score", files=checked, crops=BATCH)
            own = [task(line) for line in ours.score(setting, threads, q8, checked, *flags).rows]
            theirs = int8.ask(what="score", files=checked, crops=BATCH)
            scores = [[image["score"] for image in side] for side in (own, theirs, exact)]
            error = difference(scores[1], scores[2])
            note = f"8 bits move a score by up to {difference(scores[0], scores[2]):.4f} in ours, {error:.4f} in {int8.version}"
            row = Row("quantised", f"{size}, q8, batch {BATCH}", "views/s", threads, at_least={"onnxruntime": 0.8}, note=note)
            row.compared.append(same("ours and fp32", scores[0], scores[2], BOUND))
            timed = files[: setting.pick(5, 17)]
            sides = {
                "ours": lambda: [seconds / BATCH for seconds in ours.seconds_each(setting, threads, q8, timed, *flags)],
                int8.version: lambda: int8.ask(what="seconds_each", file=files[0], batch=BATCH, times=setting.pick(2, 6)),
            }
            yield row.timed(in_turns(setting.rounds, sides))
