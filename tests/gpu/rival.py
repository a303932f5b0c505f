"""Times ViT-B/32's image tower in PyTorch on a GPU. Prints views/s for float32 and bfloat16 as JSON lines.

Views are on the device beforehand, as for `trainer device`. TF32 is off, so that float32 has its full precision.
"""

import json
import sys
import time

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

WIDTH, LAYERS, HEADS, PATCH, SIDE, EMBED = 768, 12, 12, 32, 224, 512


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.in_proj, self.out_proj = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.c_fc, self.c_proj = nn.Linear(WIDTH, 4 * WIDTH), nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, x):
        batch, tokens, _ = x.shape
        qkv = self.in_proj(self.ln_1(x)).view(batch, tokens, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
        heads = scaled_dot_product_attention(*qkv)
        x = x + self.out_proj(heads.transpose(1, 2).reshape(batch, tokens, WIDTH))
        hidden = self.c_fc(self.ln_2(x))
        return x + self.c_proj(hidden * torch.sigmoid(1.702 * hidden))


class Tower(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTH, PATCH, PATCH, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(WIDTH) / 10)
        self.positions = nn.Parameter(torch.randn((SIDE // PATCH) ** 2 + 1, WIDTH) / 10)
        self.ln_pre, self.ln_post = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.proj = nn.Parameter(torch.randn(WIDTH, EMBED) / 30)

    def forward(self, pixels):
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.to(patches.dtype).expand(len(pixels), 1, -1), patches], 1)
        x = self.blocks(self.ln_pre(x + self.positions.to(x.dtype)))
        return self.ln_post(x[:, 0]) @ self.proj.to(x.dtype)


@torch.inference_mode()
def main():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        tower = Tower().to("cuda", dtype).eval()
        for views in map(int, sys.argv[1].split(",")):
            pixels = torch.randn(views, 3, SIDE, SIDE, device="cuda", dtype=dtype)
            for _ in range(3):
                tower(pixels)
            torch.cuda.synchronize()
            times, start = 0, time.perf_counter()
            while time.perf_counter() - start < 1:
                for _ in range(10):
                    tower(pixels)
                torch.cuda.synchronize()
                times += 10
            seconds = (time.perf_counter() - start) / times
            print(json.dumps({"precision": name, "views": views, "seconds": seconds, "views_per_second": views / seconds}), flush=True)


if __name__ == "__main__":
    main()
