//! New weights, drawn as OpenAI draws CLIP's before training (`model.py`, `initialize_parameters`).

use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tsp_mgs_core::checkpoint::{Checkpoint, Naming, parameter_shapes};
use tsp_mgs_core::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use tsp_mgs_core::tokenizer::VOCAB_SIZE;
use tsp_mgs_core::weights::{RawTensor, Tensors};

/// Sizes that can be trained from nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scratch {
    /// The demonstration's: small enough to be trained on a processor
    Tiny,
}

/// The similarity scale before training; it stays (SPEC §6).
const LOGIT_SCALE: f32 = 2.995_732_3; // ln 20

impl Scratch {
    /// For people and for the record of a run.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
        }
    }

    /// The sizes.
    pub fn config(self) -> ClipConfig {
        match self {
            Self::Tiny => ClipConfig {
                embed_dim: 64,
                activation: Activation::QuickGelu,
                vision: VisionConfig { image_size: 112, patch_size: 16, width: 128, mlp_width: 512, layers: 3 },
                text: Some(TextConfig {
                    context_length: 77,
                    vocab_size: VOCAB_SIZE,
                    width: 64,
                    mlp_width: 256,
                    layers: 2,
                }),
            },
        }
    }

    /// Draws weights from a seed.
    pub fn checkpoint(self, seed: u64) -> Checkpoint<'static> {
        let config = self.config();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut tensors = Tensors::new();
        for (name, shape) in parameter_shapes(&config) {
            let values = draw(&name, &shape, &config, &mut random);
            tensors.insert(name, RawTensor::from_f32(shape, &values));
        }
        Checkpoint::read_as(tensors, Naming::OpenAi, config).expect("every parameter was just made")
    }
}

fn draw(name: &str, shape: &[usize], config: &ClipConfig, random: &mut ChaCha8Rng) -> Vec<f32> {
    let count = shape.iter().product();
    if name == "logit_scale" {
        return vec![LOGIT_SCALE];
    }
    if name.contains(".ln_") || name.starts_with("ln_") {
        return vec![if name.ends_with("weight") { 1.0 } else { 0.0 }; count];
    }
    if name.ends_with("bias") {
        return vec![0.0; count];
    }
    let deviation = deviation(name, shape, config);
    (0..count).map(|_| (deviation * normal(random)) as f32).collect()
}

/// Standard deviation of a weight's elements.
fn deviation(name: &str, shape: &[usize], config: &ClipConfig) -> f64 {
    let text = config.text.as_ref().map_or((1, 1), |text| (text.width, text.layers));
    let (width, layers) = if name.starts_with("visual.") { (config.vision.width, config.vision.layers) } else { text };
    let (width, layers) = (width as f64, layers as f64);
    match name {
        "token_embedding.weight" => 0.02,
        "positional_embedding" => 0.01,
        "visual.conv1.weight" => (shape[1..].iter().product::<usize>() as f64).sqrt().recip(),
        _ if name.ends_with("out_proj.weight") || name.ends_with("c_proj.weight") => {
            (width * 2.0 * layers).sqrt().recip()
        }
        _ if name.ends_with("c_fc.weight") => (2.0 * width).sqrt().recip(),
        _ => width.sqrt().recip(),
    }
}

/// A standard normal number, by Box and Muller.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
