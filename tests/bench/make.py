"""Makes one piece of material: make.py TARGET KIND ARGUMENT...  `material.py` says which there are.

It appears whole or not at all.
"""

import csv
import json
import os
import random
import shutil
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "fixtures"))
from material import SEED  # noqa: E402


def seeded_clip(size):
    import seeded

    clip = seeded.seeded_model(seeded.Size(*json.loads(size)), SEED)
    clip.set_attn_implementation("sdpa")
    return clip


def weights(out, size):
    import seeded
    from safetensors.torch import save_file

    save_file(seeded.checkpoint(seeded.Size(*json.loads(size)), SEED), out, {"format": "pt"})


def export(out, module, inputs, names, outputs):
    """ONNX by PyTorch's own exporter; the first axis of each input is free."""
    import torch

    warnings.filterwarnings("ignore")
    axes = {name: {0: f"{name}_count"} for name in names + outputs}
    if "input_ids" in names:
        axes["logits_per_image"][1] = axes["input_ids"][0]
    torch.onnx.export(module.eval(), inputs, out, dynamo=False, opset_version=17, input_names=names, output_names=outputs, dynamic_axes=axes)


def tower(out, size):
    import torch

    class Tower(torch.nn.Module):
        def __init__(self, clip):
            super().__init__()
            self.clip = clip

        def forward(self, pixels):
            return self.clip.visual_projection(self.clip.vision_model(pixels).pooler_output)

    export(out, Tower(seeded_clip(size)), (torch.zeros(2, 3, 224, 224),), ["pixel_values"], ["image_embeds"])


def int8(out, fp32):
    from onnxruntime.quantization import QuantType, quant_pre_process, quantize_dynamic

    whole = out.with_suffix(".shapes")
    quant_pre_process(fp32, whole, skip_symbolic_shape=True)
    # The patch convolution stays: onnxruntime has no fast int8 kernel for it on a CPU.
    quantize_dynamic(whole, out, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"], per_channel=True)
    whole.unlink()


def transformers_js(out, size):
    """`config.json`, `preprocessor_config.json` and `onnx/model.onnx`, as the model hub has them; and token ids, instead of a tokenizer."""
    import tokens
    import torch
    from reference import LEVELS
    from transformers import CLIPImageProcessor

    clip = seeded_clip(size)

    class Whole(torch.nn.Module):
        def __init__(self, clip):
            super().__init__()
            self.clip = clip

        def forward(self, input_ids, pixel_values, attention_mask):
            found = self.clip(input_ids=input_ids, pixel_values=pixel_values, attention_mask=attention_mask)
            return found.logits_per_image, found.text_embeds, found.image_embeds

    ids = tokens.padded(LEVELS["adj"])[:, :8]  # trimmed, as ours: "A photo of bad quality." has 8 tokens
    (out / "onnx").mkdir(parents=True)
    inputs = (ids, torch.zeros(1, 3, 224, 224), torch.ones_like(ids))
    export(out / "onnx/model.onnx", Whole(clip), inputs, ["input_ids", "pixel_values", "attention_mask"],
           ["logits_per_image", "text_embeds", "image_embeds"])
    clip.config.save_pretrained(out)
    CLIPImageProcessor().save_pretrained(out)
    (out / "level_ids.json").write_text(json.dumps(ids.tolist()))


def photos(out, samples, count, side, ending):
    """Squares cut from the sample photographs, enlarged and each moved by a few pixels, so that all differ."""
    from PIL import Image

    sources = sorted(Path(samples).glob("*.jpg"))
    out.mkdir(parents=True)
    for index in range(int(count)):
        photo = Image.open(sources[index % len(sources)]).convert("RGB")
        moved = index // len(sources) % 100
        square = min(photo.size) - 100
        photo = photo.crop((moved, moved, moved + square, moved + square)).resize((int(side), int(side)), Image.Resampling.BICUBIC)
        photo.save(out / f"{index:05}.{ending}", **({"quality": 90} if ending == "jpg" else {}))


def window(out, image):
    from PIL import Image

    out.mkdir(parents=True)
    Image.open(image).crop((0, 0, 224, 224)).save(out / f"{Path(image).stem}.png")


def many(out, image, count):
    """One image under many names. A file system takes 65,000 names for a file, or fewer."""
    out.mkdir(parents=True)
    for index in range(int(count)):
        named = out / f"{index:07}{Path(image).suffix}"
        if index % 10_000 == 0:
            file = shutil.copy(image, named)
        else:
            os.link(file, named)


def prompts(out, image, images, count):
    """Prompts of AGIQA-3K's length: 13 tokens on average. The order is drawn, as in a folder sorted by anything but prompt."""
    colours = "red blue green golden silver purple black white orange turquoise".split()
    things = ["cat on a sofa", "lighthouse in a storm", "castle above the clouds", "robot playing chess", "bowl of ramen", "steam train in the snow"]
    styles = ["oil painting", "studio photograph, soft light", "anime style", "watercolour", "8k, highly detailed, trending"]
    texts = [f"a {colour} {thing}, {style}" for colour in colours for thing in things for style in styles]
    order = [index % int(count) for index in range(int(images))]
    random.Random(SEED).shuffle(order)
    many(out, image, images)
    for index, text in enumerate(order):
        (out / f"{index:07}.txt").write_text(texts[text])


def tokens_of_length(out, image, count, length):
    """Different prompts of `length` words that are a token each."""
    words = "cat dog sun sea red blue sky tree house car bird fish boat moon star".split()
    draw = random.Random(SEED)
    many(out, image, count)
    for index in range(int(count)):
        (out / f"{index:07}.txt").write_text(" ".join(draw.choices(words, k=int(length))))


def scenes(out, drawn):
    out.mkdir(parents=True)
    with open(Path(drawn) / "data.csv", newline="") as table:
        for row in csv.DictReader(table):
            os.link(Path(drawn) / "images" / row["name"], out / row["name"])
            (out / row["name"]).with_suffix(".txt").write_text(row["prompt"])


def lossless(out, *images):
    from PIL import Image

    out.mkdir(parents=True)
    for image in map(Path, images):
        Image.open(image).convert("RGB").save(out / f"{image.stem}.bmp")
        shutil.copy(image.with_suffix(".txt"), out / f"{image.stem}.txt")


KINDS = {
    "weights": weights, "tower": tower, "int8": int8, "transformers.js": transformers_js, "photos": photos,
    "window": window, "many": many,
    "prompts": prompts, "tokens": tokens_of_length, "scenes": scenes, "lossless": lossless,
}


def main():
    target, kind, arguments = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name("part-" + target.name)
    if part.is_dir():
        shutil.rmtree(part)
    KINDS[kind](part, *arguments)
    part.rename(target)


if __name__ == "__main__":
    main()
