"""What the paths through Chromium share: one tower, ours from an image's bytes, theirs from views that lie in memory."""

import statistics

import ours as trainer
from compare import EXACT, difference, same, task
from material import PATCHES, bundle, photos, tower as onnx_tower, weights
from report import Row
from rival import Browser, Rival
from setting import in_turns

# A GPU's own exponential and division (tests/browser/served.mjs); SwiftShader compiles them otherwise than we do.
TOLERANCE = {"wasm": EXACT, "webgpu": 2 * EXACT}
# A float32 sum in another order can round an input to the next 8-bit code. Measured: 0.001 (docs/performance.md).
FLIPPED = 0.01
# What both sides store the weights in.
DTYPES = {"fp32": "f32", "int8": "q8"}
NOTE = "ours from the bytes of a BMP of 512 × 512, with message to the worker and back"


def tower(setting, path, size, batch, device, provider, times, precision="fp32", at_least=1.0):
    checkpoint, onnx, image = weights(setting, size), onnx_tower(setting, size, precision), photos(setting, 33)[0]
    own = bundle(setting, size, DTYPES[precision], "--vision-only", *PATCHES, "--crops", str(batch))
    pixels = setting.folder / f"views-{batch}.f32"
    with (
        Browser(setting.www, model=own, material=setting.folder) as browser,
        Rival(setting, "tower", 1, runtime="torch", weights=checkpoint, size=size) as reference,
    ):
        reference.ask(what="pixels", file=image, crops=batch, out=pixels)
        information = browser.ask(what="load", side="ours", device=device, image=f"/material/{image.parent.name}/{image.name}")
        version = browser.ask(what="load", side="rival", provider=provider, model=f"/material/{onnx.name}", pixels=f"/material/{pixels.name}", views=batch)
        rival = f"onnxruntime-web {version} {provider}"
        case = f"{size}, {precision}, batch {batch}, {information['device']}"
        row = Row(path, case, "views/s", 1, at_least={"onnxruntime-web": at_least}, note=NOTE)
        expected = reference.ask(what="score", files=[image], crops=batch)[0]
        # Three runs: a wrong kernel can come with a later one, when it was tuned.
        for _ in range(3 if provider == "webgpu" and not setting.is_quick else 1):
            found = task(browser.ask(what="run", side="ours", times=1)["result"])
            theirs = reference.ask(what="parts", features=browser.ask(what="run", side="rival", times=1)["features"])
            if precision == "int8":  # one view can move by more than the mean of many: the command line's score is the measure
                flags = [*PATCHES, "--crops", str(batch), "--precision", precision]
                native = task(trainer.score(setting, 1, own, [image], *flags).rows[0])
                row.compared = [same("ours and the command line", found["score"], native["score"], FLIPPED)]
                ours, other = (difference([side["score"]], [expected["score"]]) for side in (found, theirs))
                row.note = f"{NOTE}; int8 moves the score by {ours:.4f} in ours, {other:.4f} in {rival}"
                continue
            row.compared = [
                same("ours and PyTorch", found, expected, TOLERANCE[provider]),
                same(rival, found, theirs, 2 * TOLERANCE[provider]),
            ]
        side = lambda name: lambda: statistics.median(browser.ask(what="run", side=name, times=times)["seconds"]) / batch  # noqa: E731
        return row.timed(in_turns(setting.rounds, {"ours": side("ours"), rival: side("rival")}))
