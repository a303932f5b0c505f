"""The image tower in Chromium on WebGPU, fp32, against onnxruntime-web's; on SwiftShader, so with few layers of the real width."""

from paths.browser import tower


def run(setting):
    yield tower(setting, "webgpu", setting.pick("one-layer", "two-layers"), 1, device="webgpu", provider="webgpu", times=1)
