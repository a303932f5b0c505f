//! New random weights, for training from scratch.
//!
//! They are drawn as OpenAI draws CLIP's weights before training (`model.py`, `initialize_parameters`). Four things
//! differ, so that a small model learns from thousands of images instead of millions:
//!
//! - The image tower's embedding of tokens starts from cosine waves (`cosine_filters`) instead of noise, and its
//!   filters turn slowly (`EMBEDDING_GAIN`).
//! - The first layer of the first MLP starts as pairs of rectifiers (`rectifiers`), because the strength of a wave
//!   says more about quality than its sign.
//! - The logit scale is small (`LOGIT_SCALE`).
//! - The embeddings of text tokens start far apart (`TOKEN_DEVIATION`).

use std::f64::consts::{PI, TAU};

use clap::ValueEnum;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tsp_mgs_core::checkpoint::{Checkpoint, Naming};
use tsp_mgs_core::config::{Activation, ClipConfig, TextConfig, VisionConfig};
use tsp_mgs_core::layout::parameter_shapes;
use tsp_mgs_core::tokenizer::VOCAB_SIZE;
use tsp_mgs_core::weights::{RawTensor, Tensors};

/// Model sizes for training from scratch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scratch {
    /// The size of the built-in demonstration, which a processor can train
    Tiny,
}

/// The logit scale, ln 10. It is not trained. At CLIP's ln 100 the softmax over the levels of untrained features
/// saturates, and its gradients vanish.
const LOGIT_SCALE: f32 = std::f32::consts::LN_10;
/// Standard deviation of token embeddings. With CLIP's 0.02 the features of all texts stay nearly equal for hundreds of
/// steps.
const TOKEN_DEVIATION: f64 = 0.3;
/// Factor of the initial token, class and positional embeddings of the image tower.
///
/// `ln_pre` removes the factor from the output. The steps of Adam do not depend on the factor, so larger filters turn
/// more slowly. Without it, a few steps that move all 16 × 16 × 3 weights of a filter alike make its response to flat
/// areas so large that its wave is lost.
const EMBEDDING_GAIN: f64 = 100.0;
/// Initial weight of `ln_pre`. It is small, so that the outputs of the blocks count beside it.
const PRE_GAIN: f32 = 0.5;
/// Slope of a rectifier, in standard deviations of its input.
const RECTIFIER_GAIN: f32 = 2.0;

impl Scratch {
    /// The name on the command line and in `config.json`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiny => "tiny",
        }
    }

    /// The sizes of the model.
    pub fn config(self) -> ClipConfig {
        match self {
            Self::Tiny => ClipConfig {
                embed_dim: 64,
                activation: Activation::QuickGelu,
                vision: VisionConfig { image_size: 128, patch_size: 16, width: 128, mlp_width: 512, layers: 2 },
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

    /// Draws weights from a seed; equal seeds give equal weights.
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
    if name == "visual.ln_pre.weight" {
        return vec![PRE_GAIN; count];
    }
    if name.contains(".ln_") || name.starts_with("ln_") {
        return vec![if name.ends_with("weight") { 1.0 } else { 0.0 }; count];
    }
    if name.ends_with("bias") {
        return vec![0.0; count];
    }
    if name == "visual.conv1.weight" {
        return cosine_filters(config.vision.width, config.vision.patch_size);
    }
    if name == "visual.transformer.resblocks.0.mlp.c_fc.weight" {
        return rectifiers(config.vision.mlp_width, config.vision.width);
    }
    let deviation = deviation(name, config);
    (0..count).map(|_| (deviation * normal(random)) as f32).collect()
}

/// Standard deviation of the elements of a weight.
fn deviation(name: &str, config: &ClipConfig) -> f64 {
    let text = config.text.as_ref().map_or((1, 1), |text| (text.width, text.layers));
    let (width, layers) = if name.starts_with("visual.") { (config.vision.width, config.vision.layers) } else { text };
    let (width, layers) = (width as f64, layers as f64);
    match name {
        "token_embedding.weight" => TOKEN_DEVIATION,
        "positional_embedding" => 0.01,
        "visual.class_embedding" | "visual.positional_embedding" => EMBEDDING_GAIN * width.sqrt().recip(),
        _ if name.ends_with("out_proj.weight") || name.ends_with("c_proj.weight") => {
            (width * 2.0 * layers).sqrt().recip()
        }
        _ if name.ends_with("c_fc.weight") => (2.0 * width).sqrt().recip(),
        _ => width.sqrt().recip(),
    }
}

/// Weights `[mlp_width, width]` of the first MLP: each row reads one channel, with positive or negative slope.
fn rectifiers(mlp_width: usize, width: usize) -> Vec<f32> {
    let row = |i: usize| {
        let slope = if (i / width).is_multiple_of(2) { RECTIFIER_GAIN } else { -RECTIFIER_GAIN };
        (0..width).map(move |channel| if channel == i % width { slope } else { 0.0 })
    };
    (0..mlp_width).flat_map(row).collect()
}

/// Token embedding `[width, 3, side, side]` of two-dimensional cosine waves (DCT-II).
///
/// Three quarters of the filters see lightness, with frequencies spread evenly over all waves. The others see two
/// opponent colours, red–green and yellow–blue, at the lowest frequencies.
fn cosine_filters(width: usize, side: usize) -> Vec<f32> {
    let mut waves: Vec<(usize, usize)> = (0..side * side).map(|i| (i / side, i % side)).collect();
    waves.sort_by_key(|&(u, v)| (u * u + v * v, u));
    let n_colour = width / 8;
    let n_light = width - 2 * n_colour;
    assert!(
        n_light <= waves.len(),
        "{width} filters need {n_light} waves, but a side of {side} pixels has {} waves",
        waves.len()
    );
    let light = (0..n_light).map(|i| (waves[i * waves.len() / n_light], [1.0 / 3.0; 3]));
    let red_green = waves[..n_colour].iter().map(|&wave| (wave, [0.5, -0.5, 0.0]));
    let yellow_blue = waves[..n_colour].iter().map(|&wave| (wave, [-0.25, -0.25, 0.5]));
    let filters = light.chain(red_green).chain(yellow_blue);
    filters.flat_map(|(wave, colour)| filter(wave, colour, side)).collect()
}

/// A wave in one colour, `[3, side, side]`.
///
/// The amplitude of a wave in natural images falls about as 1 / frequency. Each filter is multiplied by its frequency,
/// so that all filters respond about equally.
fn filter((u, v): (usize, usize), colour: [f64; 3], side: usize) -> Vec<f32> {
    /// Gain per half cycle a pixel.
    const WAVE_GAIN: f64 = 4.0;
    /// Smallest gain of a coloured wave: coarse colour says what an image shows.
    const COLOUR_GAIN: f64 = 1.5;
    /// Gains of the constant filters, divided by the side.
    const FLAT_LIGHT_GAIN: f64 = 0.7;
    const FLAT_COLOUR_GAIN: f64 = 3.0;
    let cosine = |frequency: usize, x: usize| {
        let norm = if frequency == 0 { 1.0 } else { 2.0 };
        (norm / side as f64).sqrt() * (PI * (x as f64 + 0.5) * frequency as f64 / side as f64).cos()
    };
    let is_light = colour[0] == colour[1] && colour[1] == colour[2];
    let by_frequency = WAVE_GAIN * ((u * u + v * v) as f64).sqrt() / side as f64;
    let gain = match (u, v) {
        (0, 0) if is_light => FLAT_LIGHT_GAIN / side as f64,
        (0, 0) => FLAT_COLOUR_GAIN / side as f64,
        _ if is_light => by_frequency,
        _ => by_frequency.max(COLOUR_GAIN),
    };
    let gain = EMBEDDING_GAIN * gain;
    let pixels = (0..side * side).map(|i| gain * cosine(u, i / side) * cosine(v, i % side));
    let pixels: Vec<f64> = pixels.collect();
    colour.iter().flat_map(|share| pixels.iter().map(move |pixel| (share * pixel) as f32)).collect()
}

/// A standard normal number, by the method of Box and Muller.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - random.random::<f64>(), random.random());
    (-2.0 * u.ln()).sqrt() * (TAU * v).cos()
}
