//! Fixtures and comparisons.

use std::env::consts::EXE_EXTENSION;
use std::path::{Path, PathBuf};
use std::process::Command;

use std::sync::LazyLock;

use burn::tensor::Device;
use serde_json::Value;
use tsp_mgs_core::weights::{RawTensor, Tensors, read_safetensors};
use tsp_mgs_trainer::score::device::{DeviceChoice, select};

/// A file below `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// A file below the repository's root.
pub fn repository(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

pub fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn json(name: &str) -> Value {
    serde_json::from_slice(&read(&fixture(name))).expect("fixtures are valid JSON")
}

pub fn tensors(path: &Path) -> Tensors<'static> {
    let bytes = read(path);
    let tensors = read_safetensors(&bytes).expect("fixtures are valid safetensors");
    tensors.into_iter().map(|(name, tensor)| (name, tensor.into_owned())).collect()
}

/// A fixture's numbers.
pub fn values(tensors: &Tensors, name: &str) -> Vec<f32> {
    tensors.get(name).map(RawTensor::to_f32).unwrap_or_else(|| panic!("the fixture has no {name}"))
}

/// Fails on the worst element that is further than `tolerance` from what was expected, and on NaN.
#[track_caller]
pub fn assert_close(found: &[f32], expected: &[f32], tolerance: f32, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}: number of elements");
    let off = |i: usize| {
        let difference = (found[i] - expected[i]).abs();
        if difference.is_nan() { f32::INFINITY } else { difference }
    };
    let Some(worst) = (0..found.len()).max_by(|&a, &b| off(a).total_cmp(&off(b))) else { return };
    assert!(
        off(worst) <= tolerance,
        "{what}: element {worst} is {}, expected {} within {tolerance}",
        found[worst],
        expected[worst]
    );
}

/// Largest magnitude: what a relative tolerance refers to.
pub fn magnitude(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// wgpu on a driver that emulates a GPU; a process opens it once.
pub fn software_gpu() -> Device {
    static DEVICE: LazyLock<Device> =
        LazyLock::new(|| select(DeviceChoice::WgpuSoftware).expect("a software Vulkan driver").device);
    DEVICE.clone()
}

/// Runs an ignored test in a process of its own. A [counter](tsp_mgs_core::work::Counter) sees all that its process does.
pub fn assert_passes_alone(test: &str) {
    let this = std::env::current_exe().expect("a running program has a path");
    let output =
        Command::new(this).args(["--exact", test, "--ignored", "--nocapture"]).output().expect("the tests run");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// The binary, as a user runs it; `make test-native` builds it beside this test.
pub fn trainer() -> Command {
    let tests = std::env::current_exe().expect("a running program has a path");
    let binary =
        tests.ancestors().nth(2).expect("target/PROFILE/deps/tests").join("trainer").with_extension(EXE_EXTENSION);
    assert!(binary.is_file(), "{} is missing: build it with `cargo build --release`", binary.display());
    Command::new(binary)
}
