//! The device of this build, opened once.

use burn::tensor::Device;
use tsp_mgs_core::scorer::Scorer;
use wasm_bindgen::JsError;

#[cfg(not(any(feature = "webgpu", feature = "cpu")))]
compile_error!("enable the feature `webgpu` or `cpu`");

/// What this module computes with.
#[cfg(feature = "webgpu")]
pub const BACKEND: &str = "webgpu";
/// What this module computes with.
#[cfg(not(feature = "webgpu"))]
pub const BACKEND: &str = "cpu";

/// Opens WebGPU, asynchronously, as browsers demand.
#[cfg(feature = "webgpu")]
pub async fn open() -> Result<(Device, String), JsError> {
    use std::cell::OnceCell;

    /// Commands that are sent to the GPU together (burn's advice for browsers is 32 to 64).
    const TASKS: usize = 32;
    thread_local! {
        static OPENED: OnceCell<(Device, String)> = const { OnceCell::new() };
    }
    if let Some(opened) = OPENED.with(|opened| opened.get().cloned()) {
        return Ok(opened);
    }
    // A program that links this crate as a library, such as its tests, does not run the start function.
    crate::constructors::run();
    let (device, setup) = Device::wgpu_options()
        .tasks_max(TASKS)
        .init_with_setup_async()
        .await
        .map_err(|error| JsError::new(&format!("WebGPU cannot be used: {error}")))?;
    let adapter = setup.adapter.get_info().name;
    let name = if adapter.is_empty() { "webgpu".to_owned() } else { format!("webgpu:{adapter}") };
    Ok(OPENED.with(|opened| opened.get_or_init(|| (device, name)).clone()))
}

/// The CPU is always there.
#[cfg(not(feature = "webgpu"))]
pub async fn open() -> Result<(Device, String), JsError> {
    Ok((Device::flex(), BACKEND.to_owned()))
}

/// Compiles all kernels, so that a score waits for none.
#[cfg(feature = "webgpu")]
pub fn prepare(scorer: &mut Scorer) -> Result<(), JsError> {
    Ok(scorer.prepare()?)
}

/// The CPU's are compiled.
#[cfg(not(feature = "webgpu"))]
pub fn prepare(_: &mut Scorer) -> Result<(), JsError> {
    Ok(())
}
