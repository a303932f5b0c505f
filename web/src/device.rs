//! Opens the device of this build.

use burn::tensor::Device;
use tsp_mgs_core::scorer::Scorer;

use crate::error::Error;

#[cfg(not(any(feature = "webgpu", feature = "cpu")))]
compile_error!("enable the feature `webgpu` or `cpu`");

/// The kind of device that this module uses.
#[cfg(feature = "webgpu")]
pub const BACKEND: &str = "webgpu";
/// The kind of device that this module uses.
#[cfg(not(feature = "webgpu"))]
pub const BACKEND: &str = "cpu";

/// Opens WebGPU once. Browsers allow this only asynchronously. Returns the device and its name.
#[cfg(feature = "webgpu")]
pub async fn open() -> Result<(Device, String), Error> {
    use std::cell::OnceCell;

    /// The number of commands that are submitted to the GPU together. Burn recommends 32 to 64 for browsers.
    const TASKS: usize = 32;
    thread_local! {
        static OPENED: OnceCell<(Device, String)> = const { OnceCell::new() };
    }
    if let Some(opened) = OPENED.with(|opened| opened.get().cloned()) {
        return Ok(opened);
    }
    // Programs that link this crate as a library, such as its tests, do not run the start function.
    crate::constructors::run();
    let (device, setup) = Device::wgpu_options()
        .tasks_max(TASKS)
        .init_with_setup_async()
        .await
        .map_err(|error| Error::device(&format!("WebGPU cannot be used: {error}")))?;
    let adapter = setup.adapter.get_info().name;
    let name = if adapter.is_empty() { "webgpu".to_owned() } else { format!("webgpu:{adapter}") };
    Ok(OPENED.with(|opened| opened.get_or_init(|| (device, name)).clone()))
}

/// Returns the CPU, which is always available, and its name.
#[cfg(not(feature = "webgpu"))]
pub async fn open() -> Result<(Device, String), Error> {
    Ok((Device::flex(), BACKEND.to_owned()))
}

/// Compiles all kernels before the first score.
#[cfg(feature = "webgpu")]
pub fn prepare(scorer: &mut Scorer) -> Result<(), Error> {
    Ok(scorer.prepare()?)
}

/// Does nothing: kernels for the CPU are compiled already.
#[cfg(not(feature = "webgpu"))]
pub fn prepare(_: &mut Scorer) -> Result<(), Error> {
    Ok(())
}
