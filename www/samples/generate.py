"""Makes the sample images from photographs that scikit-image 0.26.0 bundles. Run: python www/samples/generate.py"""

from pathlib import Path

from PIL import Image, ImageFilter, PngImagePlugin
from skimage import data

HERE = Path(__file__).resolve().parent


def square(pixels, side):
    """The largest square in the middle, resized."""
    image = Image.fromarray(pixels)
    edge = min(image.size)
    x, y = (image.width - edge) // 2, (image.height - edge) // 2
    return image.crop((x, y, x + edge, y + edge)).resize((side, side), Image.Resampling.LANCZOS)


def save(name, image, prompt, quality=85):
    image.save(HERE / f"{name}.jpg", quality=quality, optimize=True)
    (HERE / f"{name}.txt").write_text(prompt + "\n")


astronaut, cat, coffee = square(data.astronaut(), 512), square(data.chelsea(), 512), square(data.coffee(), 512)
save("astronaut", astronaut, "portrait of a smiling astronaut in an orange space suit, flag and space shuttle in the background")
save("cat", cat, "close-up photo of a ginger tabby cat with green eyes")
save("coffee", coffee, "a cup of espresso with a spoon on a wooden table, warm light")
save("cat_degraded", cat.filter(ImageFilter.GaussianBlur(5)), "close-up photo of a ginger tabby cat with green eyes", quality=8)
save("astronaut_wrong_prompt", astronaut, "a bowl of ramen with a soft-boiled egg on a red table")

# Stable Diffusion WebUI writes the prompt into the PNG itself.
parameters = PngImagePlugin.PngInfo()
parameters.add_text("parameters", (
    "a white rocket on its launch pad at dusk, floodlights, deep blue sky\nNegative prompt: blurry, text, watermark\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512"
))
rocket = square(data.rocket(), 512).quantize(128, dither=Image.Dither.NONE)
rocket.save(HERE / "rocket.png", pnginfo=parameters, optimize=True)
