//! Selects the device that `--device` names.

use std::str::FromStr;

use anyhow::{Result, bail};
use burn::tensor::Device;

/// The value of `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The first that is available: CUDA, a GPU through wgpu, the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// A GPU through wgpu: Vulkan, Metal or DirectX 12.
    Wgpu,
    /// A driver that emulates a GPU on the CPU, through wgpu.
    WgpuSoftware,
    /// The NVIDIA GPU with this index, through CUDA.
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

/// A device that is ready, and its name.
pub struct SelectedDevice {
    /// The handle of burn.
    pub device: Device,
    /// The kind and the adapter, as results contain them: `cpu`, `wgpu:NAME (API)` or `cuda:N`.
    pub name: String,
}

/// Opens a device.
///
/// A process should open a GPU only once.
///
/// # Errors
/// Returns an error if the device does not exist. [`DeviceChoice::Auto`] always finds a device.
///
/// # Examples
///
/// ```
/// use tsp_mgs_score::device::select;
///
/// let device = select("cpu".parse().expect("a device"))?;
/// assert_eq!(device.name, "cpu");
/// # anyhow::Ok(())
/// ```
pub fn select(choice: DeviceChoice) -> Result<SelectedDevice> {
    match choice {
        DeviceChoice::Auto => Ok(cuda(0).ok().or_else(gpu::best).unwrap_or_else(cpu)),
        DeviceChoice::Cpu => Ok(cpu()),
        DeviceChoice::Wgpu | DeviceChoice::WgpuSoftware if !cfg!(feature = "gpu") => {
            bail!("this program was built without GPU support; build it with `cargo build --release --features gpu`")
        }
        DeviceChoice::Wgpu => match gpu::best() {
            Some(gpu) => Ok(gpu),
            None => bail!(
                "wgpu finds no GPU: install a Vulkan, Metal or DirectX 12 driver, or pass --device cpu \
                 (--device wgpu:software selects an emulated GPU)"
            ),
        },
        DeviceChoice::WgpuSoftware => match gpu::software() {
            Some(adapter) => Ok(adapter),
            None => bail!(
                "wgpu finds no driver that emulates a GPU: install one, such as the package mesa-vulkan-drivers of Debian"
            ),
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

    /// The native API for GPU programs on this system. OpenGL is not used: drivers lack or emulate its compute shaders,
    /// and the search for it prints warnings on machines without a screen.
    const GRAPHICS_API: WgpuBackend = if cfg!(target_vendor = "apple") {
        WgpuBackend::Metal
    } else if cfg!(windows) {
        WgpuBackend::Dx12
    } else {
        WgpuBackend::Vulkan
    };

    /// Returns the first adapter that is not an emulation, in the order of the kinds' speed.
    pub(super) fn best() -> Option<SelectedDevice> {
        let kinds = [DeviceKind::DiscreteGpu(0), DeviceKind::IntegratedGpu(0), DeviceKind::VirtualGpu(0)];
        kinds.into_iter().find_map(adapter)
    }

    /// Returns an adapter that a CPU emulates.
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

/// Stands for the module of the feature `gpu` in a build without it.
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
        bail!("CUDA finds {} GPUs, expected a GPU with index {index}; check the driver with nvidia-smi", found.len());
    }
    Ok(SelectedDevice { device: Device::cuda(index), name: format!("cuda:{index}") })
}

#[cfg(not(feature = "cuda"))]
fn cuda(_: usize) -> Result<SelectedDevice> {
    bail!("this program was built without CUDA; build it with `cargo build --release --features cuda`")
}
