"""What a browser downloads before any weights, gzipped, beside onnxruntime-web's."""

import gzip

from report import Size
from setting import BENCH, Wrong

AT_MOST = 2_000_000
OURS = {"cpu": ["wasm/cpu-relaxed/tsp_mgs_web.js", "wasm/cpu-relaxed/tsp_mgs_web_bg.wasm"], "webgpu": ["wasm/webgpu/tsp_mgs_web.js", "wasm/webgpu/tsp_mgs_web_bg.wasm"]}
# The module that each build of onnxruntime-web loads; "asyncify" is the one of ort.webgpu.
THEIRS = {"cpu": ("ort.wasm.min.mjs", "ort-wasm-simd-threaded"), "webgpu": ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify")}


def run(setting):
    dist = BENCH / "node_modules/onnxruntime-web/dist"
    for device, (script, module) in THEIRS.items():
        theirs = [dist / script, dist / f"{module}.mjs", dist / f"{module}.wasm"]
        sizes = {"ours": gzipped(setting.www / part for part in OURS[device]), "onnxruntime-web": gzipped(theirs)}
        yield Size("size", f"wasm and its JavaScript, {device}, gzipped", sizes, AT_MOST)


def gzipped(files):
    size = 0
    for file in files:
        if not file.exists():
            raise Wrong(f"{file} is missing: run make web, and npm ci in tests/bench")
        size += len(gzip.compress(file.read_bytes(), 9))
    return size
