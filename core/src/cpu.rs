//! The blocks of both towers on a processor, for scoring: the arithmetic of [`crate::transformer`] in fewer passes over
//! memory.
//!
//! burn's CPU backend makes each operation's result anew, zeroed; it copies queries, keys and values before attention, and
//! takes exponentials one by one. Here three buffers serve all blocks, heads are read where they lie, and biases,
//! activations and sums happen in place. Weights are packed once, for kernels that read them in that order; the products
//! within attention are by the crate that burn's backend takes. There are no gradients: training takes burn's operations.

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod amx;
#[cfg(not(target_arch = "wasm32"))]
mod int8;
mod panels;
mod product;
#[cfg(not(target_arch = "wasm32"))]
mod widest;

use std::fmt;

use burn::nn;
use burn::tensor::{Device, Tensor, TensorData};
use rayon::current_num_threads;
use rayon::prelude::*;
use rten_simd::{SimdOp, SimdUnaryOp};
use rten_vecmath::{Gelu, Normalize, NormalizeOptions, Softmax, Sum, SumSquareSub, Swish};

use crate::clip::Form;
use crate::config::Activation;
use crate::transformer::{Attention, LAYER_NORM_EPSILON, QUICK_GELU_SLOPE};
#[cfg(not(target_arch = "wasm32"))]
use int8::Int8;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use int8::is_exact as int8_is_exact;
use panels::Panels;
use product::{Matrix, product};

/// Rows that a thread takes at a time: enough to be worth the hand-over.
const ROWS: usize = 8;
/// Rows with which a thread goes through all blocks alone, rather than sharing each product and waiting for the others: a
/// view of ViT-B/32.
const ROWS_ALONE: usize = 50;

/// What becomes of what stood in the result of a product.
#[derive(Clone, Copy)]
enum Old {
    Kept,
    Dropped,
}

/// Who multiplies.
#[derive(Clone, Copy)]
enum Threads {
    One,
    All,
}

/// Whether this is the processor, without gradients.
pub(crate) fn is_cpu(device: &Device) -> bool {
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

pub(crate) struct LayerNorm {
    gamma: Vec<f32>,
    beta: Vec<f32>,
}

pub(crate) struct Linear {
    weight: Weight,
    /// `[outputs]`
    bias: Vec<f32>,
}

enum Weight {
    Panels(Panels),
    #[cfg(not(target_arch = "wasm32"))]
    Int8(Int8),
}

/// What is written anew in each block, row by row of the residual stream.
struct Buffers {
    /// `[rows, width]`
    normed: Vec<f32>,
    /// `[rows, 3 · width]`: queries, keys and values, or `[rows, mlp_width]`.
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
        let Some(widest) = self.0.iter().map(|block| block.c_fc.bias.len().max(3 * width)).max() else { return x };
        let mut data = x.into_data();
        let stream = data.as_mut_slice::<f32>().expect("the residual stream is float32");
        let each = batch.div_ceil(current_num_threads()).max(1);
        let parts = batch.div_ceil(each);
        // Not where most threads would have nothing to do.
        let is_alone = parts > 1 && 2 * parts > current_num_threads() && each * tokens >= ROWS_ALONE;
        let threads = if is_alone { Threads::One } else { Threads::All };
        let pass = Pass { tokens, width, heads: attention.heads(width), attention, activation, threads };
        let forward = |stream: &mut [f32]| {
            let rows = stream.len() / width;
            let mut buffers = Buffers {
                normed: vec![0.0; rows * width],
                wide: vec![0.0; rows * widest],
                heads_out: vec![0.0; rows * width],
            };
            self.0.iter().for_each(|block| block.forward(stream, &mut buffers, pass));
        };
        if is_alone {
            stream.par_chunks_mut(each * tokens * width).for_each(forward);
        } else {
            forward(stream);
        }
        Tensor::from_data(data, &device)
    }
}

/// What blocks have to know beside the rows.
#[derive(Clone, Copy)]
struct Pass {
    tokens: usize,
    width: usize,
    heads: usize,
    attention: Attention,
    activation: Activation,
    /// Of the larger products.
    threads: Threads,
}

impl fmt::Debug for Blocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks").field("layers", &self.0.len()).finish()
    }
}

impl Block {
    fn forward(&self, stream: &mut [f32], buffers: &mut Buffers, pass: Pass) {
        let Buffers { normed, wide, heads_out } = buffers;
        let rows = stream.len() / pass.width;

        self.ln_1.forward(stream, normed);
        let qkv = &mut wide[..rows * 3 * pass.width];
        self.in_proj.forward(normed, qkv, pass.threads);
        attend(qkv, normed, heads_out, pass);
        self.out_proj.add(heads_out, stream, pass.threads);

        self.ln_2.forward(stream, normed);
        let hidden = &mut wide[..rows * self.c_fc.bias.len()];
        self.c_fc.forward(normed, hidden, pass.threads);
        hidden.par_chunks_mut(ROWS * self.c_fc.bias.len()).for_each(|hidden| match pass.activation {
            Activation::QuickGelu => Swish { alpha: QUICK_GELU_SLOPE as f32 }.map_mut(hidden),
            Activation::Gelu => Gelu {}.map_mut(hidden),
        });
        self.c_proj.add(hidden, stream, pass.threads);
    }
}

impl LayerNorm {
    pub(crate) fn new(norm: nn::LayerNorm) -> Self {
        let beta = norm.beta.expect("CLIP's layer norms have a bias");
        Self { gamma: values(norm.gamma.val()), beta: values(beta.val()) }
    }

    fn forward(&self, input: &[f32], out: &mut [f32]) {
        let width = self.gamma.len();
        out.par_chunks_mut(ROWS * width).zip(input.par_chunks(ROWS * width)).for_each(|(out, input)| {
            out.copy_from_slice(input);
            for row in out.chunks_exact_mut(width) {
                let mean = Sum::new(row).dispatch() / width as f32;
                let variance = SumSquareSub::new(row, mean).dispatch() / width as f32;
                let options = NormalizeOptions {
                    pre_scale_bias: mean,
                    scale: (variance + LAYER_NORM_EPSILON as f32).sqrt().recip(),
                    element_scale: Some(&self.gamma),
                    element_bias: Some(&self.beta),
                    ..Default::default()
                };
                Normalize::new_mut(row, options).dispatch();
            }
        });
    }
}

impl Linear {
    pub(crate) fn new(layer: nn::Linear, form: Form) -> Self {
        let bias = values(layer.bias.expect("CLIP's linear layers have a bias").val());
        let weight = values(layer.weight.val());
        let weight = match form {
            Form::Stored => Weight::Panels(Panels::new(&weight, bias.len(), true)),
            Form::Float32 => Weight::Panels(Panels::new(&weight, bias.len(), false)),
            #[cfg(not(target_arch = "wasm32"))]
            Form::Int8 => Weight::Int8(Int8::new(&weight, bias.len())),
        };
        Self { weight, bias }
    }

    /// `out = input · weight + bias`
    fn forward(&self, input: &[f32], out: &mut [f32], threads: Threads) {
        self.product(input, out, Old::Dropped, threads);
    }

    /// `out += input · weight + bias`
    fn add(&self, input: &[f32], out: &mut [f32], threads: Threads) {
        self.product(input, out, Old::Kept, threads);
    }

    fn product(&self, input: &[f32], out: &mut [f32], old: Old, threads: Threads) {
        match &self.weight {
            Weight::Panels(weight) => weight.product(input, &self.bias, out, old, threads),
            #[cfg(not(target_arch = "wasm32"))]
            Weight::Int8(weight) => weight.product(input, &self.bias, out, old, threads),
        }
    }
}

/// Softmax of queries and keys, times values, head by head: `[rows, 3 · width]` to `[rows, width]`; `by_head` has as much
/// room.
fn attend(qkv: &[f32], by_head: &mut [f32], heads_out: &mut [f32], pass: Pass) {
    let Pass { tokens, width, heads, attention, .. } = pass;
    let head_width = width / heads;
    let scale = (head_width as f32).sqrt().recip();
    let scratch = || vec![0.0; tokens * tokens];
    // [images, heads, tokens, head_width]
    by_head.par_chunks_mut(tokens * head_width).enumerate().for_each_init(scratch, |weights, (place, out)| {
        let (image, head) = (place / heads, place % heads);
        let qkv = Matrix::rows(&qkv[image * tokens * 3 * width..][..tokens * 3 * width], 3 * width);
        let part = |which: usize| qkv.columns(which * width + head * head_width, head_width);
        let (query, key, value) = (part(0), part(1), part(2));
        product(weights, scale, query, key.transposed());
        for (token, weights) in weights.chunks_exact_mut(tokens).enumerate() {
            let (seen, unseen) = match attention {
                Attention::Full => (weights, &mut [][..]),
                Attention::Causal => weights.split_at_mut(token + 1),
            };
            Softmax::new_mut(seen).dispatch();
            unseen.fill(0.0);
        }
        product(out, 1.0, Matrix::rows(weights, tokens), value);
    });
    heads_out.par_chunks_mut(tokens * width).zip(by_head.par_chunks(tokens * width)).for_each(|(out, by_head)| {
        for (head, values) in by_head.chunks_exact(tokens * head_width).enumerate() {
            for (out, values) in out.chunks_exact_mut(width).zip(values.chunks_exact(head_width)) {
                out[head * head_width..][..head_width].copy_from_slice(values);
            }
        }
    });
}

/// A parameter's elements; moved, where nobody else has the tensor.
fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data: TensorData = tensor.into_data();
    data.try_into_vec().expect("parameters are float32")
}
