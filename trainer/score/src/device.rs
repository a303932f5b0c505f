//! Where to compute: what `--device` means on this machine.

use std::str::FromStr;

use anyhow::{Result, bail};
use burn::tensor::Device;

/// The value of `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// CUDA, then a GPU through wgpu, then the CPU.
    Auto,
    /// The processor.
    Cpu,
    /// A GPU through wgpu: Vulkan, Metal or DirectX 12.
    Wgpu,
    /// A driver that emulates a GPU on the processor.
    WgpuSoftware,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "cpu" => Ok(Self::Cpu),
            "wgpu" => Ok(Self::Wgpu),
            "wgpu:software" => Ok(Self::WgpuSoftware),
            "cuda" => Ok(Self::Cuda(0)),
            _ => match text.strip_prefix("cuda:").and_then(|index| index.parse().ok()) {
                Some(index) => Ok(Self::Cuda(index)),
                None => Err("expected auto, cpu, wgpu, wgpu:software, cuda or cuda:N".into()),
            },
        }
    }
}

/// A device that is ready, and what to call it.
pub struct SelectedDevice {
    /// burn's handle.
    pub device: Device,
    /// For results: kind and adapter.
    pub name: String,
}

/// Opens the chosen device; a process opens a GPU once.
///
/// # Errors
/// When it is not there; [`DeviceChoice::Auto`] always finds one.
pub fn select(choice: DeviceChoice) -> Result<SelectedDevice> {
    match choice {
        DeviceChoice::Auto => Ok(cuda(0).ok().or_else(gpu::best).unwrap_or_else(cpu)),
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Wgpu | DeviceChoice::WgpuSoftware if !cfg!(feature = "gpu") => {
            bail!("this program was built for the CPU alone; build it with `cargo build --release --features gpu`")
        }
        DeviceChoice::Wgpu => match gpu::best() {
            Some(gpu) => Ok(gpu),
            None => bail!(
                "wgpu finds no GPU: install its Vulkan, Metal or DirectX 12 driver, or use --device cpu \
                 (--device wgpu:software takes an emulated one)"
            ),
        },
        DeviceChoice::WgpuSoftware => match gpu::software() {
            Some(adapter) => Ok(adapter),
            None => bail!("wgpu finds no software driver: install one, such as Debian's mesa-vulkan-drivers"),
        },
        DeviceChoice::Cuda(index) => cuda(index),
    }
}

fn cpu() -> SelectedDevice {
    SelectedDevice { device: Device::flex(), name: "cpu".into() }
}

#[cfg(feature = "gpu")]
mod gpu {
    use burn::tensor::wgpu::WgpuBackend;
    use burn::tensor::{Device, DeviceKind};

    use super::SelectedDevice;

    /// What runs GPU programs natively on this system. OpenGL is left out: drivers have no compute for
    /// it or emulate it, and looking for it prints complaints on machines without a screen.
    const GRAPHICS_API: WgpuBackend = if cfg!(target_vendor = "apple") {
        WgpuBackend::Metal
    } else if cfg!(windows) {
        WgpuBackend::Dx12
    } else {
        WgpuBackend::Vulkan
    };

    /// The first adapter that is no emulation, the fastest kind first.
    pub(super) fn best() -> Option<SelectedDevice> {
        let kinds = [DeviceKind::DiscreteGpu(0), DeviceKind::IntegratedGpu(0), DeviceKind::VirtualGpu(0)];
        kinds.into_iter().find_map(adapter)
    }

    /// One that a processor emulates.
    pub(super) fn software() -> Option<SelectedDevice> {
        adapter(DeviceKind::Cpu)
    }

    fn adapter(kind: DeviceKind) -> Option<SelectedDevice> {
        let options = Device::wgpu_options().graphics_api(GRAPHICS_API).device_kind(kind);
        let (device, setup) = options.init_with_setup().ok()?;
        let adapter = setup.adapter.get_info();
        Some(SelectedDevice { device, name: format!("wgpu:{} ({})", adapter.name, adapter.backend) })
    }
}

/// A build without GPUs finds none.
#[cfg(not(feature = "gpu"))]
mod gpu {
    use super::SelectedDevice;

    pub(super) fn best() -> Option<SelectedDevice> {
        None
    }

    pub(super) fn software() -> Option<SelectedDevice> {
        None
    }
}

#[cfg(feature = "cuda")]
fn cuda(index: usize) -> Result<SelectedDevice> {
    let found = Device::enumerate(burn::tensor::DeviceType::Cuda).into_vec();
    if index >= found.len() {
        bail!("CUDA finds {} GPUs, expected number {index}; check the driver with nvidia-smi", found.len());
    }
    Ok(SelectedDevice { device: Device::cuda(index), name: format!("cuda:{index}") })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<SelectedDevice> {
    bail!("this program was built without CUDA; build it with `cargo build --release --features cuda`")
}
