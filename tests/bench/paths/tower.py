"""The image tower on the CPU, fp32, one view and sixteen at once."""

import ours
from compare import EXACT, same, task
from material import PATCHES, photos, tower, weights
from report import Row
from rival import Rival
from setting import in_turns

NOTE = "ours from the file: reads a BMP of 512 × 512 and cuts its views too"


def run(setting):
    size = setting.pick("two-layers", "vit-b-32")
    files, checkpoint = photos(setting, 65), weights(setting, size)
    for threads in setting.threads:
        with (
            Rival(setting, "tower", threads, runtime="onnxruntime", weights=checkpoint, size=size, onnx=tower(setting, size, "fp32")) as onnx,
            Rival(setting, "tower", threads, runtime="torch", weights=checkpoint, size=size) as torch,
        ):
            for batch in (16, 1):
                row = Row("tower", f"{size}, batch {batch}", "views/s", threads, setting.isa, at_least={"onnxruntime": 1.0}, note=NOTE)
                yield row.filled(lambda row: measured(setting, threads, batch, checkpoint, files, (onnx, torch), row))


def measured(setting, threads, batch, checkpoint, files, rivals, row):
    # Sixteen windows of one image fill a batch by themselves; single ones are put together unless told otherwise.
    flags = [*PATCHES, "--crops", str(batch), *(["--batch", "1"] if batch == 1 else [])]
    checked = files[:2]
    found = [task(line) for line in ours.score(setting, threads, checkpoint, checked, *flags).rows]
    for rival in rivals:
        row.compared.append(same(rival.version, found, rival.ask(what="score", files=checked, crops=batch), EXACT))
    timed = files[: setting.pick(5, 17) if batch == 16 else setting.pick(17, 65)]
    own = lambda: [seconds / batch for seconds in ours.seconds_each(setting, threads, checkpoint, timed, *flags)]  # noqa: E731
    sides = {"ours": own}
    for rival in rivals:
        times = setting.pick(2, 6) * (16 // batch)
        sides[rival.version] = lambda rival=rival: rival.ask(what="seconds_each", file=files[0], batch=batch, times=times)
    return row.timed(in_turns(setting.rounds, sides))
