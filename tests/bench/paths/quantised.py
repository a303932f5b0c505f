"""The image tower in fewer bits on the CPU, sixteen views at once, beside the rivals'; and how far that moves a score, ours and theirs."""

import ours
from compare import difference, same, task
from material import PATCHES, bundle, photos, tower, weights
from report import Row
from rival import Rival
from setting import in_turns

BATCH = 16
# 8 bits: ours may be off by as much as 8-bit weights alone moved sample photographs (docs/performance.md, 0.013), and as much again for
# 8-bit products. bfloat16 keeps as many bits of a number, 8, and has no scale of a row that an outlier could spoil.
BOUND = 0.03


def run(setting):
    size = setting.pick("two-layers", "vit-b-32")
    files, checkpoint = photos(setting, 33), weights(setting, size)
    model = {"size": size, "weights": checkpoint}
    for threads in setting.threads:
        with (
            Rival(setting, "tower", threads, runtime="torch", **model) as fp32,
            Rival(setting, "tower", threads, runtime="torch bf16", **model) as bf16,
            Rival(setting, "tower", threads, runtime="onnxruntime", **model, onnx=tower(setting, size, "fp32")) as onnx,
            Rival(setting, "tower", threads, runtime="onnxruntime int8", **model, onnx=tower(setting, size, "int8")) as int8,
        ):
            q8 = bundle(setting, size, "q8", "--vision-only", *PATCHES)
            for precision, own, rivals in (("int8", q8, [int8]), ("bf16", checkpoint, [onnx, bf16])):
                row = Row("quantised", f"{size}, {precision}, batch {BATCH}", "views/s", threads, setting.isa, at_least={"onnxruntime": 1.0})
                yield row.filled(lambda row: measured(setting, threads, own, precision, fp32, rivals, files, row))


def measured(setting, threads, own, precision, fp32, rivals, files, row):
    flags = [*PATCHES, "--crops", str(BATCH), "--precision", precision]
    checked = files[: setting.pick(2, 8)]
    exact = [image["score"] for image in fp32.ask(what="score", files=checked, crops=BATCH)]
    found = [task(line)["score"] for line in ours.score(setting, threads, own, checked, *flags).rows]
    row.compared.append(same("ours and fp32", found, exact, BOUND))
    moved = {"ours": difference(found, exact)}
    timed = files[: setting.pick(5, 17)]
    sides = {"ours": lambda: [seconds / BATCH for seconds in ours.seconds_each(setting, threads, own, timed, *flags)]}
    for rival in rivals:
        moved[rival.version] = difference([image["score"] for image in rival.ask(what="score", files=checked, crops=BATCH)], exact)
        sides[rival.version] = lambda rival=rival: rival.ask(what="seconds_each", file=files[0], batch=BATCH, times=setting.pick(2, 6))
    row.note = f"{precision} moves a score by up to " + ", ".join(f"{largest:.4f} in {name}" for name, largest in moved.items())
    return row.timed(in_turns(setting.rounds, sides))
