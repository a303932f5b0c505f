"""What all sides are given: seeded weights, images, models in each side's format. Made once, by `make.py`, and kept in a folder."""

import json
import subprocess
import sys

from setting import BENCH, ROOT

# vision width, layers, patch, image side, text width, layers, embedding: the order of `fixtures/seeded.py`
SIZES = {
    "vit-b-32": [768, 12, 32, 224, 512, 12, 512],
    "two-layers": [768, 2, 32, 224, 64, 1, 512],  # the image tower's real widths
    "one-layer": [768, 1, 32, 224, 64, 1, 512],
    "two-and-two": [768, 2, 32, 224, 512, 2, 512],
    # Towers that cost next to nothing, so that what stands around them is what is timed.
    "pixels": [16, 1, 32, 224, 16, 1, 16],
    "texts": [16, 1, 32, 224, 512, 12, 512],
    "texts-two-layers": [16, 1, 32, 224, 512, 2, 512],
}
SEED = 11
# The windows alone, without words: as many views as crops, and a score that depends on each of them.
PATCHES = ["--task", "perception", "--alpha", "0", "--inputs", "patches", "--no-fine"]


def _made(setting, target, *request):
    """`target` in the folder; PyTorch lives in a process of its own, so that this one stays small (`ours.py` says why)."""
    path = setting.folder / target
    if not path.exists():
        subprocess.run([sys.executable, BENCH / "make.py", path, *map(str, request)], check=True)
    return path


def weights(setting, size):
    """A checkpoint with Hugging Face's names."""
    return _made(setting, f"{size}.safetensors", "weights", json.dumps(SIZES[size]))


def tower(setting, size, precision):
    """The image tower as ONNX, fp32 or int8."""
    if precision == "int8":
        return _made(setting, f"{size}-int8.onnx", "int8", tower(setting, size, "fp32"))
    return _made(setting, f"{size}.onnx", "tower", json.dumps(SIZES[size]))


def transformers_js(setting, size):
    """A folder as transformers.js loads it, both towers in fp32."""
    return _made(setting, f"transformers.js-{size}", "transformers.js", json.dumps(SIZES[size]))


def photos(setting, count, side=512, ending="bmp"):
    """Different photographs; BMP is read at no cost and without loss."""
    folder = _made(setting, f"photos-{count}-{side}.{ending}", "photos", ROOT / "www/samples", count, side, ending)
    return sorted(folder.iterdir())


def views_as_png(setting, image):
    """A folder with the first window of an image, by the image's name."""
    return _made(setting, f"windows-{image.stem}", "window", image)


def many(setting, count):
    """A folder of `count` images of which only one takes room on the disk."""
    return _made(setting, f"many-{count}", "many", photos(setting, 1)[0], count)


def with_prompts(setting, images, prompts):
    """A folder of `images` images with `prompts` different prompts beside them, in a seeded order."""
    return _made(setting, f"prompts-{images}-{prompts}", "prompts", photos(setting, 1)[0], images, prompts)


def long_prompts(setting, count, tokens):
    """A folder of `count` images with different prompts of so many tokens."""
    return _made(setting, f"tokens-{count}-{tokens}", "tokens", photos(setting, 1)[0], count, tokens)


def scenes(setting, count):
    """Synthetic images of 512 × 512 as JPEG, with their prompts beside them: `trainer synth`."""
    drawn = setting.folder / f"synthetic-{count}"
    if not drawn.with_name(f"scenes-{count}").exists():
        command = [setting.trainer, "synth", "--out", drawn, "--images", str(count), "--seed", "1"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(_made(setting, f"scenes-{count}", "scenes", drawn).glob("*.jpg"))


def without_loss(setting, images):
    """The same images as BMP, prompts beside them."""
    return sorted(_made(setting, f"lossless-{len(images)}-of-{images[0].parent.name}", "lossless", *images).glob("*.bmp"))


def bundle(setting, size, dtype, *flags):
    """A bundle of the seeded weights; made anew when the trainer is newer."""
    name = "-".join([size, dtype, *(flag.strip("-") for flag in flags)])
    out = setting.folder / f"bundle-{name}"
    manifest = out / "model.json"
    if not manifest.exists() or manifest.stat().st_mtime < setting.trainer.stat().st_mtime:
        command = [setting.trainer, "export", "--clip", weights(setting, size), "--dtype", dtype, "--overwrite", "--out", out, *flags]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return out
