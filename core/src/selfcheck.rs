//! A tiny model with known features, to check that a device computes correctly.
//!
//! On GPUs in browsers, a shader that the browser rejects does not raise an error, and buffers keep plausible old numbers. The
//! expected features were computed by transformers (`tests/fixtures/clip_tiny.safetensors`, rows 0).

use burn::tensor::{Device, Tensor, TensorData};

use crate::clip::WeightFormat;
use crate::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use crate::encoder::ClipEncoder;
use crate::seeded;
use crate::tokenizer::{END, START, VOCAB_SIZE};

/// The largest [`difference`] of a correct device, with float16 as well as float32.
pub const TOLERANCE: f32 = 1e-2;

const SEED: u64 = 7;
/// "A photo of a cat."
const TOKENS: [u32; 8] = [START, 320, 1125, 539, 320, 2368, 269, END];

/// The sizes of the known model.
pub fn config() -> ClipConfig {
    ClipConfig {
        embed_dim: 32,
        activation: Activation::QuickGelu,
        vision: VisionConfig { image_size: 96, patch_size: 32, width: 128, mlp_width: 512, layers: 2 },
        text: Some(TextConfig { context_length: 77, vocab_size: VOCAB_SIZE, width: 64, mlp_width: 256, layers: 2 }),
    }
}

/// The known model on `device`.
pub fn model(device: &Device) -> ClipEncoder {
    ClipEncoder::load(seeded::checkpoint(config(), SEED), device, WeightFormat::Float32)
}

/// Queues a run of the known model. Returns the features of a known image and of a known text, `[64]`.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use burn::tensor::Device;
/// use tsp_mgs_core::selfcheck;
///
/// let device = Device::flex();
/// let found = selfcheck::run(&selfcheck::model(&device), &device).into_data();
/// assert!(selfcheck::difference(found.as_slice().unwrap()) < selfcheck::TOLERANCE);
/// # }
/// ```
pub fn run(model: &ClipEncoder, device: &Device) -> Tensor<1> {
    let pixels = TensorData::new(seeded::uniform("pixels", SEED, 3 * 96 * 96), [1, 3, 96, 96]);
    let image = model.image_features(Tensor::from_data(pixels, device));
    let text = model.token_features(&[&TOKENS], device).expect("the known model has a text tower");
    let sentence = text.narrow(1, TOKENS.len() - 1, 1);
    Tensor::cat(vec![image.flatten(0, 1), sentence.flatten(0, 2)], 0)
}

/// The largest absolute difference from the expected features. It is infinite if a value is not finite, or the length is wrong.
pub fn difference(found: &[f32]) -> f32 {
    let difference = |(found, expected): (&f32, &f32)| (found - expected).abs();
    let largest = found.iter().zip(&EXPECTED).map(difference).fold(0.0, f32::max);
    // `f32::max` ignores NaN.
    let is_sound = found.len() == EXPECTED.len() && found.iter().all(|number| number.is_finite());
    if is_sound { largest } else { f32::INFINITY }
}

const EXPECTED: [f32; 64] = [
    -0.29369423,
    2.0967362,
    0.40255946,
    0.29068637,
    0.14749902,
    -2.1893954,
    1.9519213,
    -0.16254795,
    -0.21645704,
    -1.7940289,
    0.9550165,
    1.6702826,
    0.29083246,
    0.46380854,
    -0.27958226,
    0.0081650615,
    1.4631573,
    1.0173774,
    -0.6768703,
    0.5420625,
    -1.0668557,
    -0.32379627,
    -0.6850703,
    -0.53704125,
    1.5316105,
    -0.34642127,
    -0.88178474,
    1.8706522,
    -0.90227056,
    0.18804365,
    1.1177096,
    0.24085966,
    -0.971409,
    0.8465406,
    -0.54111266,
    -0.8113694,
    -1.0302613,
    0.25255352,
    -0.45096615,
    0.65429926,
    0.35821933,
    2.2127085,
    -1.7276924,
    -0.92552304,
    -0.53893906,
    0.7743158,
    0.9190247,
    0.5081023,
    -0.7272459,
    0.9620032,
    0.20726678,
    0.6523174,
    -0.09211658,
    -0.80435586,
    1.3498989,
    -0.27168632,
    -0.52689666,
    0.07481404,
    -0.08299625,
    -0.35885036,
    1.5208111,
    0.28603625,
    -0.45850965,
    0.33142927,
];
