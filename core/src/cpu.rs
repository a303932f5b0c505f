//! The residual attention blocks of both towers on a processor, for scoring. They compute the same as [`crate::transformer`] with
//! fewer passes over memory.
//!
//! Burn's CPU backend allocates and zeroes the result of each operation, copies queries, keys and values before attention, and
//! computes exponentials one at a time. Here, three buffers are shared by all blocks, attention reads heads in place, and biases,
//! activations and residual sums are computed in place. The kernels are those of [`tsp_mgs_kernels`]. There are no gradients:
//! training uses burn's operations.

use std::fmt;

use burn::nn;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::current_num_threads;
use rayon::prelude::*;
use tsp_mgs_kernels::{self as kernels, Store, Threads, gelu, quick_gelu};

use crate::clip::WeightFormat;
use crate::config::Activation;
use crate::transformer::{Attention, LAYER_NORM_EPSILON, QUICK_GELU_SLOPE};

/// With at least this many rows for each thread, each thread runs all blocks on its own rows. With fewer, all threads share each
/// product. One view of ViT-B/32 has 50 rows.
const ROWS_OF_A_THREAD: usize = 50;
/// The number of rows that pass through all blocks before the next rows. With more rows, intermediate results leave the
/// processor's caches; with fewer, weights are read more often.
const ROWS_OF_A_PASS: usize = 200;

/// Whether `device` is the processor, without gradients.
pub fn is_cpu(device: &Device) -> bool {
    *device == Device::flex()
}

/// A stack of residual attention blocks.
pub(crate) struct Blocks(Vec<Block>);

/// `x + attn(ln_1(x))`, then `x + mlp(ln_2(x))`.
pub(crate) struct Block {
    pub(crate) ln_1: LayerNorm,
    pub(crate) in_proj: Linear,
    pub(crate) out_proj: Linear,
    pub(crate) ln_2: LayerNorm,
    pub(crate) c_fc: Linear,
    pub(crate) c_proj: Linear,
}

pub(crate) struct LayerNorm(kernels::LayerNorm);

pub(crate) struct Linear(kernels::Linear);

/// Intermediate results of a block, one row for each row of the residual stream.
struct Buffers {
    /// `[rows, width]`
    normed: Vec<f32>,
    /// `[rows, 3 · width]` with queries, keys and values, or `[rows, mlp_width]`.
    wide: Vec<f32>,
    /// `[rows, width]`
    heads_out: Vec<f32>,
}

impl Blocks {
    pub(crate) fn new(blocks: Vec<Block>) -> Self {
        Self(blocks)
    }

    /// As [`crate::transformer::Transformer::forward`].
    pub(crate) fn forward(&self, x: Tensor<3>, attention: Attention, activation: Activation) -> Tensor<3> {
        let ([batch, tokens, width], device) = (x.dims(), x.device());
        let Some(widest) = self.0.iter().map(|block| block.c_fc.0.outputs().max(3 * width)).max() else { return x };
        let mut data = x.into_data();
        let stream = data.as_mut_slice::<f32>().expect("the residual stream is float32");
        let each = batch.div_ceil(current_num_threads()).max(1);
        let parts = batch.div_ceil(each);
        // If most threads would be idle, they share each product instead.
        let is_parallel = parts > 1 && 2 * parts > current_num_threads() && each * tokens >= ROWS_OF_A_THREAD;
        let threads = if is_parallel { Threads::One } else { Threads::All };
        let heads = attention.heads(width);
        let attention = kernels::Attention { tokens, width, heads, is_causal: attention == Attention::Causal };
        let settings = BlockSettings { width, attention, activation, threads };
        let is_shared = !is_parallel && current_num_threads() > 1;
        let pass_rows = if is_shared { batch } else { (ROWS_OF_A_PASS / tokens).max(1) } * tokens;
        let forward = |stream: &mut [f32]| {
            let rows = pass_rows.min(stream.len() / width);
            let mut buffers = Buffers {
                normed: vec![0.0; rows * width],
                wide: vec![0.0; rows * widest],
                heads_out: vec![0.0; rows * width],
            };
            for stream in stream.chunks_mut(pass_rows * width) {
                self.0.iter().for_each(|block| block.forward(stream, &mut buffers, settings));
            }
        };
        if is_parallel {
            stream.par_chunks_mut(each * tokens * width).for_each(forward);
        } else {
            // In the pool, the calling thread takes part in each product and does not sleep until it is done.
            rayon::scope(|_| forward(stream));
        }
        Tensor::from_data(data, &device)
    }
}

/// The settings of all blocks of a tower.
#[derive(Clone, Copy)]
struct BlockSettings {
    width: usize,
    attention: kernels::Attention,
    activation: Activation,
    /// The threads of each product.
    threads: Threads,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").field("layers", &self.0.len()).finish()
    }
}

impl Block {
    fn forward(&self, stream: &mut [f32], buffers: &mut Buffers, settings: BlockSettings) {
        let Buffers { normed, wide, heads_out } = buffers;
        let rows = stream.len() / settings.width;

        let [normed, heads_out] = [normed, heads_out].map(|buffer| &mut buffer[..stream.len()]);
        let product = |layer: &Linear, input: &[f32], out: &mut [f32], store| {
            layer.0.product(input, out, store, settings.threads);
        };

        self.ln_1.0.forward(stream, normed);
        let qkv = &mut wide[..3 * stream.len()];
        product(&self.in_proj, normed, qkv, Store::Overwrite);
        settings.attention.forward(qkv, normed, heads_out);
        product(&self.out_proj, heads_out, stream, Store::Add);

        self.ln_2.0.forward(stream, normed);
        let hidden = &mut wide[..rows * self.c_fc.0.outputs()];
        product(&self.c_fc, normed, hidden, Store::Overwrite);
        match settings.activation {
            Activation::QuickGelu => quick_gelu(hidden, QUICK_GELU_SLOPE as f32),
            Activation::Gelu => gelu(hidden),
        }
        product(&self.c_proj, hidden, stream, Store::Add);
    }
}

impl LayerNorm {
    pub(crate) fn new(norm: nn::LayerNorm) -> Self {
        let beta = norm.beta.expect("CLIP's layer norms have a bias");
        Self(kernels::LayerNorm::new(values(norm.gamma.val()), values(beta.val()), LAYER_NORM_EPSILON as f32))
    }
}

impl Linear {
    pub(crate) fn new(layer: nn::Linear, format: WeightFormat) -> Self {
        let bias = values(layer.bias.expect("CLIP's linear layers have a bias").val());
        let format = match format {
            WeightFormat::Stored => kernels::WeightFormat::Stored,
            WeightFormat::Float32 => kernels::WeightFormat::Float32,
            WeightFormat::BFloat16 => kernels::WeightFormat::BFloat16,
            WeightFormat::Int8 => kernels::WeightFormat::Int8,
        };
        Self(kernels::Linear::new(&values(layer.weight.val()), bias, format))
    }
}

/// The elements of a parameter. They are moved if nothing else refers to the tensor.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data: TensorData = tensor.into_data();
    data.try_into_vec().expect("parameters are float32")
}
