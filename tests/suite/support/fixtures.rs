//! Reads fixtures and other files of the repository.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tsp_mgs_core::weights::{RawTensor, Tensors, read_safetensors};

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

/// The elements of a tensor in a fixture.
pub fn values(tensors: &Tensors, name: &str) -> Vec<f32> {
    tensors.get(name).map(RawTensor::to_f32).unwrap_or_else(|| panic!("the fixture has no {name}"))
}
