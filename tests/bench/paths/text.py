"""The text side of both tasks: many images, fewer prompts."""

import ours
from compare import EXACT, same
from material import weights, with_prompts
from report import Row
from rival import Rival
from setting import in_turns

FLAGS = ["--task", "both", "--inputs", "image", "--alpha", "1"]
NOTE = "ours: the run with all prompts less a run of the same images with one; prompts in no order; what is left of the image tower is one layer of 16"


def run(setting):
    images, prompts = setting.pick((40, 12), (1000, 300))
    size = setting.pick("texts-two-layers", "texts")
    checkpoint, folder = weights(setting, size), with_prompts(setting, images, prompts)
    files = sorted(folder.glob("*.bmp"))
    for threads in setting.threads:
        with Rival(setting, "text", threads, weights=checkpoint, size=size) as rival:
            case = f"{size}, {images} images, {prompts} prompts, both tasks"
            row = Row("text", case, "images/s", threads, setting.isa, at_least={"PyTorch": 5.0}, note=NOTE)
            checked = files[:6]
            rows = ours.score(setting, threads, checkpoint, checked, *FLAGS).rows
            found = [[line["perception"]["score"], line["alignment"]["score"]] for line in rows]
            row.compared.append(same(rival.version, found, rival.ask(what="score", files=checked), EXACT))

            def own():
                one = ours.score(setting, threads, checkpoint, files, *FLAGS, "--prompt", "a cat")
                return ours.further(one, ours.score(setting, threads, checkpoint, files, *FLAGS), images)

            sides = {"ours": own, rival.version: lambda: rival.ask(what="seconds_each", files=files[: setting.pick(3, 20)])}
            yield row.timed(in_turns(setting.rounds, sides))
