"""The largest memory of a browser tab that loads a bundle of the real size in f16 and scores, against its weights."""

from compare import same, task
from material import PATCHES, bundle, photos, weights
from report import Size
from rival import Browser, Rival

# Weights in f16 against weights in fp32 (docs/performance.md).
BOUND = 0.02


def run(setting):
    size = setting.pick("two-and-two", "vit-b-32")
    own, image = bundle(setting, size, "f16", *PATCHES, "--crops", "1"), photos(setting, 33)[0]
    with Browser(setting.www, model=own, material=setting.folder) as browser:
        empty = browser.ask(what="memory", side="ours")
        browser.ask(what="load", side="ours", device="cpu", image=f"/material/{image.parent.name}/{image.name}")
        found = task(browser.ask(what="run", side="ours", times=1)["result"])
        peak = browser.ask(what="memory", side="ours")
    with Rival(setting, "tower", 1, runtime="torch", weights=weights(setting, size), size=size) as reference:
        same("ours and PyTorch", found, reference.ask(what="score", files=[image], crops=1)[0], BOUND)
    stored = sum(shard.stat().st_size for shard in own.glob("*.safetensors"))
    note = f"peak of the tab's process less the {empty / 1e6:.0f} MB of an empty page; {(peak - empty) / stored:.2f} × the bundle's weights"
    yield Size("tab", f"memory of a tab, {size} in f16, CPU", {"ours": peak - empty, "weights in f16": stored}, int(2.2 * stored), note)
