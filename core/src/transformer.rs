//! The residual attention block that both towers of CLIP are made of.
//!
//! Reference: OpenAI CLIP, `model.py`, `ResidualAttentionBlock` (Radford et al. 2021,
//! arXiv 2103.00020). Fields carry the checkpoint's names.

#[cfg(feature = "cpu")]
use std::sync::Arc;

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::{gelu, sigmoid};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor};

use crate::checkpoint::Checkpoint;
use crate::clip::Form;
use crate::config::{Activation, heads, image_heads};
#[cfg(feature = "cpu")]
use crate::cpu::{self, Block, Blocks};
#[cfg(feature = "webgpu")]
use crate::gpu;

/// CLIP was trained with this sigmoid approximation; exact GELU shifts the output of every block.
pub(crate) const QUICK_GELU_SLOPE: f64 = 1.702;
/// CLIP's, which is burn's default too.
pub(crate) const LAYER_NORM_EPSILON: f64 = 1e-5;

/// Which tokens a token may attend to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Every token: images.
    Full,
    /// Itself and the tokens before it: texts.
    Causal,
}

impl Attention {
    /// Number of heads of a tower of this width.
    pub(crate) fn heads(self, width: usize) -> usize {
        match self {
            Self::Full => image_heads(width),
            Self::Causal => heads(width),
        }
    }
}

/// A stack of residual attention blocks.
#[derive(Module, Debug)]
pub struct Transformer {
    resblocks: Vec<ResidualAttentionBlock>,
    /// Instead of `resblocks`, for scoring on the processor.
    #[cfg(feature = "cpu")]
    #[module(skip)]
    on_cpu: Option<Arc<Blocks>>,
}

impl Transformer {
    /// The blocks below `prefix`, for example `visual.transformer`; where there is a form, for scoring on the processor alone.
    pub(crate) fn load(
        checkpoint: &mut Checkpoint,
        prefix: &str,
        layers: usize,
        device: &Device,
        form: Option<Form>,
    ) -> Self {
        let blocks = (0..layers)
            .map(|layer| ResidualAttentionBlock::load(checkpoint, &format!("{prefix}.resblocks.{layer}"), device));
        match form {
            Some(form) => Self::scoring(blocks, form),
            None => Self::trainable(blocks),
        }
    }

    /// The same for scoring alone on the processor, without gradients.
    pub(crate) fn for_scoring(self) -> Self {
        Self::scoring(self.resblocks.into_iter(), Form::Float32)
    }

    fn trainable(blocks: impl Iterator<Item = ResidualAttentionBlock>) -> Self {
        Self {
            resblocks: blocks.collect(),
            #[cfg(feature = "cpu")]
            on_cpu: None,
        }
    }

    /// Block by block, so that few are held in two forms.
    #[cfg(feature = "cpu")]
    fn scoring(blocks: impl Iterator<Item = ResidualAttentionBlock>, form: Form) -> Self {
        let blocks = blocks.map(|block| block.on_cpu(form)).collect();
        Self { resblocks: Vec::new(), on_cpu: Some(Arc::new(Blocks::new(blocks))) }
    }

    #[cfg(not(feature = "cpu"))]
    fn scoring(blocks: impl Iterator<Item = ResidualAttentionBlock>, _: Form) -> Self {
        Self::trainable(blocks)
    }

    /// Runs the blocks in order.
    ///
    /// # Shapes
    /// - `x`: `[batch, tokens, width]`
    /// - returns: `[batch, tokens, width]`
    pub fn forward(&self, x: Tensor<3>, attention: Attention, activation: Activation) -> Tensor<3> {
        #[cfg(feature = "cpu")]
        if let Some(blocks) = &self.on_cpu {
            return blocks.forward(x, attention, activation);
        }
        self.resblocks.iter().fold(x, |x, block| block.forward(x, attention, activation))
    }
}

/// `x + attn(ln_1(x))`, then `x + mlp(ln_2(x))`.
#[derive(Module, Debug)]
struct ResidualAttentionBlock {
    ln_1: LayerNorm,
    in_proj: Linear,
    out_proj: Linear,
    ln_2: LayerNorm,
    c_fc: Linear,
    c_proj: Linear,
}

impl ResidualAttentionBlock {
    fn load(checkpoint: &mut Checkpoint, prefix: &str, device: &Device) -> Self {
        let [ln_1, ln_2] = ["ln_1", "ln_2"].map(|name| layer_norm(checkpoint, &format!("{prefix}.{name}"), device));
        let [in_proj, out_proj, c_fc, c_proj] = ["attn.in_proj_", "attn.out_proj.", "mlp.c_fc.", "mlp.c_proj."]
            .map(|name| load_linear(checkpoint, &format!("{prefix}.{name}"), device));
        Self { ln_1, in_proj, out_proj, ln_2, c_fc, c_proj }
    }

    #[cfg(feature = "cpu")]
    fn on_cpu(self, form: Form) -> Block {
        let Self { ln_1, in_proj, out_proj, ln_2, c_fc, c_proj } = self;
        let [ln_1, ln_2] = [ln_1, ln_2].map(cpu::LayerNorm::new);
        let [in_proj, out_proj, c_fc, c_proj] =
            [in_proj, out_proj, c_fc, c_proj].map(|layer| cpu::Linear::new(layer, form));
        Block { ln_1, in_proj, out_proj, ln_2, c_fc, c_proj }
    }

    /// The stream keeps its element type; the products take that of the weights, which may be another
    /// ([`crate::clip::Clip::multiplying_in`]).
    fn forward(&self, x: Tensor<3>, attention: Attention, activation: Activation) -> Tensor<3> {
        let dtype = self.c_fc.weight.dtype();
        let x = add(x.clone(), self.attend(self.ln_1.forward(x).cast(dtype), attention));
        let hidden = self.expand(self.ln_2.forward(x.clone()).cast(dtype), activation);
        add(x, linear(&self.c_proj, hidden))
    }

    /// The hidden layer between `c_fc` and `c_proj`.
    fn expand(&self, x: Tensor<3>, activation: Activation) -> Tensor<3> {
        #[cfg(feature = "webgpu")]
        if activation == Activation::QuickGelu
            && let Some(hidden) = gpu::linear(x.clone(), &self.c_fc, gpu::Then::QuickGelu)
        {
            return hidden;
        }
        let hidden = linear(&self.c_fc, x);
        match activation {
            Activation::QuickGelu => hidden.clone() * sigmoid(hidden * QUICK_GELU_SLOPE),
            Activation::Gelu => gelu(hidden),
        }
    }

    fn attend(&self, x: Tensor<3>, order: Attention) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let heads = order.heads(width);
        let split = |x: Tensor<3>| x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2); // [batch, heads, tokens, width / heads]
        let [query, key, value] = linear(&self.in_proj, x).chunk(3, 2).try_into().expect("three chunks were asked for");
        // The scale stays unset: 1/√head_width is its default, and naming it forces burn's slow path.
        let options = AttentionModuleOptions { is_causal: order == Attention::Causal, ..Default::default() };
        let heads_out = attention(split(query), split(key), split(value), None, None, options);
        linear(&self.out_proj, heads_out.swap_dims(1, 2).reshape([batch, tokens, width]))
    }
}

/// A layer's product, by our own kernel where that is to be had.
fn linear(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    #[cfg(feature = "webgpu")]
    if let Some(product) = gpu::linear(x.clone(), layer, gpu::Then::Nothing) {
        return product;
    }
    layer.forward(x)
}

/// A product in the matrix's element type, given back in that of `x`.
pub(crate) fn project<const D: usize>(x: Tensor<D>, matrix: Tensor<D>) -> Tensor<D> {
    let dtype = x.dtype();
    x.cast(matrix.dtype()).matmul(matrix).cast(dtype)
}

/// `stream + branch`, in the stream's element type.
fn add(stream: Tensor<3>, branch: Tensor<3>) -> Tensor<3> {
    let dtype = stream.dtype();
    stream + branch.cast(dtype)
}

/// A layer norm with CLIP's epsilon.
pub(crate) fn layer_norm(checkpoint: &mut Checkpoint, prefix: &str, device: &Device) -> LayerNorm {
    let gamma: Param<Tensor<1>> = checkpoint.parameter(&format!("{prefix}.weight"), device);
    let [width] = gamma.dims();
    let mut norm = LayerNormConfig::new(width).with_epsilon(LAYER_NORM_EPSILON).init(device);
    norm.gamma = gamma;
    norm.beta = Some(checkpoint.parameter(&format!("{prefix}.bias"), device));
    norm
}

/// The layer whose two parameters are called `name` and `weight` or `bias`.
fn load_linear(checkpoint: &mut Checkpoint, name: &str, device: &Device) -> Linear {
    let part = |part: &str| format!("{name}{part}");
    Linear {
        weight: checkpoint.parameter(&part("weight"), device),
        bias: Some(checkpoint.parameter(&part("bias"), device)),
    }
}
