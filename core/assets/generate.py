"""Cuts CLIP's 48,894 byte-pair merges out of the vocabulary file that open_clip bundles.

The file lists 262,145 merges; CLIP's vocabulary is 49,408 = 2 * 256 bytes + 48,894 merges + 2 special tokens.
Run: python core/assets/generate.py
"""

import gzip
import hashlib
from importlib.util import find_spec
from pathlib import Path

import zopfli.gzip

SOURCE = Path(find_spec("open_clip").origin).with_name("bpe_simple_vocab_16e6.txt.gz")
SOURCE_SHA256 = "924691ac288e54409236115652ad4aa250f48203de50a9e4722a6ecd48d6804a"
TARGET = Path(__file__).with_name("clip_merges.txt.gz")

source = SOURCE.read_bytes()
if hashlib.sha256(source).hexdigest() != SOURCE_SHA256:
    raise SystemExit(f"{SOURCE.name} is not the file that OpenAI published")

lines = gzip.decompress(source).decode("utf-8").split("\n")
merges = lines[1 : 49152 - 256 - 2 + 1]  # openai/CLIP, simple_tokenizer.py; line 0 is a version header
assert len(merges) == 48894 and all(len(merge.split(" ")) == 2 for merge in merges)

# zopfli makes the file 5 % smaller than gzip -9 does. It writes no file name and no time: the same input gives the same bytes.
TARGET.write_bytes(zopfli.gzip.compress("\n".join(merges).encode("utf-8"), numiterations=100))
print(f"wrote {TARGET.name}, {TARGET.stat().st_size} bytes")
