//! Pseudorandom weights and pixels, equal to those of `tests/fixtures/seeded.py`.
//!
//! They serve parity tests at real sizes without a committed checkpoint, benchmarks, and the self-check of devices.

use crate::checkpoint::{Checkpoint, Naming};
use crate::config::ClipConfig;
use crate::layout::parameter_shapes;
use crate::weights::{RawTensor, Tensors};

/// The logarithm of CLIP's scale of similarities after training, ln 100 ≈ 4.6052.
const LOGIT_SCALE: f32 = 4.6052;

/// A model of these sizes with pseudorandom weights.
pub fn checkpoint(config: ClipConfig, seed: u64) -> Checkpoint<'static> {
    let mut tensors = Tensors::new();
    for (name, shape) in parameter_shapes(&config) {
        for (name, shape) in Naming::HuggingFace.parts(&name, &shape) {
            let values = weight(&name, &shape, seed);
            tensors.insert(name, RawTensor::from_f32(shape, &values));
        }
    }
    Checkpoint::read_as(tensors, Naming::HuggingFace, config).expect("all parameters were just made")
}

/// `count` pseudorandom numbers in [−1, 1), different for each name and seed.
///
/// The generator is SplitMix64. Its initial state is the FNV-1a hash of the name xor the seed. Only the upper 24 bits are used,
/// which float32 represents exactly.
///
/// # Examples
///
/// ```
/// let numbers = tsp_mgs_core::seeded::uniform("pixels", 7, 1000);
/// assert!(numbers.iter().all(|number| (-1.0..1.0).contains(number)));
/// ```
pub fn uniform(name: &str, seed: u64, count: usize) -> Vec<f32> {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
    let start = fnv1a(name) ^ seed;
    let draw = |i: u64| {
        let x = start.wrapping_add((i + 1).wrapping_mul(GAMMA));
        let z = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let z = z ^ (z >> 31);
        let k = (z >> 40) as i32;
        (2 * k - (1 << 24)) as f32 / (1 << 24) as f32
    };
    (0..count as u64).map(draw).collect()
}

/// The 64-bit FNV-1a hash.
pub(crate) fn fnv1a(text: &str) -> u64 {
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    text.bytes().fold(0xCBF2_9CE4_8422_2325, step)
}

/// Pseudorandom values of a parameter, scaled so that activations stay of order one in all blocks.
fn weight(name: &str, shape: &[usize], seed: u64) -> Vec<f32> {
    if name == "logit_scale" {
        return vec![LOGIT_SCALE];
    }
    let mut values = uniform(name, seed, shape.iter().product());
    let is_norm = name.contains("norm") && name.ends_with(".weight");
    let is_small = name.ends_with(".bias")
        || name.ends_with("class_embedding")
        || name.ends_with("position_embedding.weight")
        || name.ends_with("token_embedding.weight");
    let fan_in: usize = shape.iter().skip(1).product();
    let scale = (3.0 / fan_in as f64).sqrt() as f32;
    for value in &mut values {
        *value = match (is_norm, is_small) {
            (true, _) => 1.0 + 0.1 * *value,
            (_, true) => 0.1 * *value,
            _ => scale * *value,
        };
    }
    values
}
