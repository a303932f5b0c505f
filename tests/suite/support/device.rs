//! Devices that tests compute on.

use std::sync::LazyLock;

use burn::tensor::Device;
use tsp_mgs_trainer::score::device::{DeviceChoice, select};

/// wgpu with a driver that emulates a GPU. A process opens it once.
pub fn software_gpu() -> Device {
    static DEVICE: LazyLock<Device> =
        LazyLock::new(|| select(DeviceChoice::WgpuSoftware).expect("a software Vulkan driver").device);
    DEVICE.clone()
}
