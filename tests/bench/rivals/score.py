"""The whole score with Pillow, transformers and PyTorch, both tasks and sixteen views, as one would write it.

Three ways: `careful` cuts out the windows that it needs, encodes equal texts once and reads ahead with a DataLoader; `loop` does the
same one image after another; `published` does as the code that was published with this protocol (IPCE): a DataLoader, every window of
the grid unfolded, and all texts of every image padded and encoded.
"""

from pathlib import Path

import torch
import tokens
from PIL import Image
from reference import LEVELS
from torch.nn.functional import interpolate, normalize
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms.functional import normalize as normalise_channels, pil_to_tensor

from rivals.clip import load
from rivals.clock import Clock

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
SIDE, CROPS = 224, 15
WAYS = {"careful": "DataLoader", "loop": "plain loop", "published": "as published"}


def pixels(path):
    """`[3, height, width]`, normalised; the sides are 512 at least."""
    image = Image.open(path).convert("RGB")
    if min(image.size) < 512:
        short, long = sorted(image.size)
        long = 512 * long // short
        image = image.resize((512, long) if image.width <= image.height else (long, 512), Image.Resampling.BILINEAR)
    return normalise_channels(pil_to_tensor(image).float() / 255, MEAN, DEVIATION)


def unfolded(whole):
    """All windows of the grid, copied, of which a few are used."""
    stride = 48 if max(whole.shape[1:]) >= 1024 else 32
    windows = whole.unfold(1, SIDE, stride).unfold(2, SIDE, stride).permute(1, 2, 0, 3, 4).reshape(-1, 3, SIDE, SIDE)
    return torch.stack([windows[len(windows) // CROPS * i] for i in range(CROPS)])


def cut(whole):
    """The windows that are used, and no others."""
    stride = 48 if max(whole.shape[1:]) >= 1024 else 32
    rows, columns = [(side - SIDE) // stride + 1 for side in whole.shape[1:]]
    corners = [divmod(rows * columns // CROPS * i, columns) for i in range(CROPS)]
    return torch.stack([whole[:, y * stride : y * stride + SIDE, x * stride : x * stride + SIDE] for y, x in corners])


def views(path, windows):
    """`[16, 3, 224, 224]`: the resized image, then its windows."""
    whole = pixels(path)
    resized = interpolate(whole[None], (SIDE, SIDE), mode="bilinear", align_corners=False)
    return torch.cat([resized, windows(whole)])


class Images(Dataset):
    def __init__(self, files, windows):
        self.files, self.windows = files, windows

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        path = Path(self.files[index])
        return views(path, self.windows), path.with_suffix(".txt").read_text().strip()


class Rival:
    def __init__(self, weights, size, way):
        self.clip = load(weights, size)
        self.windows = unfolded if way == "published" else cut
        self.keeps_texts = way != "published"
        self.reads_ahead = way != "loop"
        self.texts = {}
        self.version = f"PyTorch {torch.__version__}, {WAYS[way]}"

    def encode(self, texts):
        """`[texts, 77, embed]`, and where each text ends; padded to 77 tokens."""
        ids = tokens.padded(texts)
        return self.clip.text_projection(self.clip.text_model(ids).last_hidden_state), ids.argmax(1)

    def prompt(self, prompt):
        """Unit features: the levels of perception, those of alignment, the words."""
        if prompt not in self.texts:
            levels = [level.replace("{pt}", prompt) for level in LEVELS["adj"] + LEVELS["adv"]]
            hidden, ends = self.encode([*levels, prompt])
            sentences = normalize(hidden[torch.arange(10), ends[:10]], dim=-1)
            found = sentences[:5], sentences[5:], normalize(hidden[10, 1 : ends[10]], dim=-1)
            if not self.keeps_texts:
                return found
            self.texts[prompt] = found
        return self.texts[prompt]

    def quality(self, views, prompt):
        """Perception and alignment."""
        features = self.clip.visual_projection(self.clip.vision_model(views).pooler_output)
        both = normalize(torch.stack([features[0], features[1:].mean(0)]), dim=-1)  # whole image, patches
        perception, alignment, words = self.prompt(prompt)
        fine = 5 * (words @ both.T).mean()
        coarse = lambda levels, view: 5 / 4 * ((self.clip.logit_scale.exp() * levels @ view).softmax(0) * torch.arange(5)).sum()  # noqa: E731
        return [(coarse(perception, both[1]) + fine).item(), (coarse(alignment, both[0]) + fine).item()]

    def images(self, files):
        images = Images(files, self.windows)
        if not self.reads_ahead:
            return (images[index] for index in range(len(images)))
        # The other core decodes ahead; with one core a second process only costs.
        return DataLoader(images, batch_size=None, num_workers=torch.get_num_threads() - 1)

    def score(self, files):
        return [self.quality(*image) for image in self.images(files)]

    def seconds_each(self, files):
        """Seconds that each further image takes after the first, which waits for the loader's start."""
        self.texts.clear()
        clock = None
        for image in self.images(files):
            self.quality(*image)
            clock = clock or Clock()
        return clock.each(len(files) - 1)
