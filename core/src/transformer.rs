//! The residual attention block, which both towers of CLIP consist of.
//!
//! Reference: OpenAI CLIP, `model.py`, `ResidualAttentionBlock` (Radford et al. 2021, arXiv 2103.00020). Fields have the names of
//! the checkpoint.

use burn::module::{Module, Param};
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::activation::{gelu, sigmoid};
use burn::tensor::module::attention;
use burn::tensor::ops::AttentionModuleOptions;
use burn::tensor::{Device, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, heads, image_heads};

/// The slope of the sigmoid in QuickGELU, an approximation of GELU. OpenAI's weights were trained with it.
pub(crate) const QUICK_GELU_SLOPE: f64 = 1.702;
/// CLIP's epsilon, which is also burn's default.
pub(crate) const LAYER_NORM_EPSILON: f64 = 1e-5;

/// The tokens that a token attends to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attention {
    /// All tokens. Used for images.
    Full,
    /// The token itself and the tokens before it. Used for texts.
    Causal,
}

impl Attention {
    /// The number of attention heads of a tower of this width.
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
    pub(crate) resblocks: Vec<ResidualAttentionBlock>,
}

impl Transformer {
    /// Loads the blocks with this prefix, for example `visual.transformer`.
    pub(crate) fn load(checkpoint: &mut Checkpoint, prefix: &str, layers: usize, device: &Device) -> Self {
        Self { resblocks: Self::load_blocks(checkpoint, prefix, layers, device).collect() }
    }

    /// Loads the blocks one at a time, as the iterator advances.
    pub(crate) fn load_blocks(
        checkpoint: &mut Checkpoint,
        prefix: &str,
        layers: usize,
        device: &Device,
    ) -> impl Iterator<Item = ResidualAttentionBlock> {
        (0..layers)
            .map(move |layer| ResidualAttentionBlock::load(checkpoint, &format!("{prefix}.resblocks.{layer}"), device))
    }

    /// Runs the blocks in order.
    ///
    /// # Shapes
    /// - `x`: `[batch, tokens, width]`
    /// - returns: `[batch, tokens, width]`
    pub fn forward(&self, x: Tensor<3>, attention: Attention, activation: Activation) -> Tensor<3> {
        self.resblocks.iter().fold(x, |x, block| block.forward(x, attention, activation))
    }
}

/// `x + attn(ln_1(x))`, then `x + mlp(ln_2(x))`.
#[derive(Module, Debug)]
pub(crate) struct ResidualAttentionBlock {
    pub(crate) ln_1: LayerNorm,
    pub(crate) in_proj: Linear,
    pub(crate) out_proj: Linear,
    pub(crate) ln_2: LayerNorm,
    pub(crate) c_fc: Linear,
    pub(crate) c_proj: Linear,
}

impl ResidualAttentionBlock {
    fn load(checkpoint: &mut Checkpoint, prefix: &str, device: &Device) -> Self {
        let [ln_1, ln_2] = ["ln_1", "ln_2"].map(|name| layer_norm(checkpoint, &format!("{prefix}.{name}"), device));
        let [in_proj, out_proj, c_fc, c_proj] = ["attn.in_proj_", "attn.out_proj.", "mlp.c_fc.", "mlp.c_proj."]
            .map(|name| load_linear(checkpoint, &format!("{prefix}.{name}"), device));
        Self { ln_1, in_proj, out_proj, ln_2, c_fc, c_proj }
    }

    /// The residual stream keeps its element type. Products are computed in the element type of the weights, which can differ
    /// ([`crate::clip::Clip::multiplying_in`]).
    fn forward(&self, x: Tensor<3>, attention: Attention, activation: Activation) -> Tensor<3> {
        let dtype = self.c_fc.weight.dtype();
        let x = add(x.clone(), self.attend(self.ln_1.forward(x).cast(dtype), attention));
        let hidden = self.expand(self.ln_2.forward(x.clone()).cast(dtype), activation);
        add(x, self.c_proj.forward(hidden))
    }

    /// The hidden layer between `c_fc` and `c_proj`.
    fn expand(&self, x: Tensor<3>, activation: Activation) -> Tensor<3> {
        let hidden = self.c_fc.forward(x);
        match activation {
            Activation::QuickGelu => hidden.clone() * sigmoid(hidden * QUICK_GELU_SLOPE),
            Activation::Gelu => gelu(hidden),
        }
    }

    fn attend(&self, x: Tensor<3>, order: Attention) -> Tensor<3> {
        let [batch, tokens, width] = x.dims();
        let heads = order.heads(width);
        let split = |x: Tensor<3>| x.reshape([batch, tokens, heads, width / heads]).swap_dims(1, 2); // [batch, heads, tokens, width / heads]
        let [query, key, value] = self.in_proj.forward(x).chunk(3, 2).try_into().expect("three chunks were asked for");
        // The default scale is 1/√head_width. A scale that is set explicitly disables burn's flash attention.
        let options = AttentionModuleOptions { is_causal: order == Attention::Causal, ..Default::default() };
        let heads_out = attention(split(query), split(key), split(value), None, None, options);
        self.out_proj.forward(heads_out.swap_dims(1, 2).reshape([batch, tokens, width]))
    }
}

/// `x · matrix`, computed in the element type of `matrix` and returned in that of `x`.
pub(crate) fn project<const D: usize>(x: Tensor<D>, matrix: Tensor<D>) -> Tensor<D> {
    let dtype = x.dtype();
    x.cast(matrix.dtype()).matmul(matrix).cast(dtype)
}

/// `stream + branch`, in the element type of `stream`.
fn add(stream: Tensor<3>, branch: Tensor<3>) -> Tensor<3> {
    let dtype = stream.dtype();
    stream + branch.cast(dtype)
}

/// Loads a layer norm.
pub(crate) fn layer_norm(checkpoint: &mut Checkpoint, prefix: &str, device: &Device) -> LayerNorm {
    let gamma: Param<Tensor<1>> = checkpoint.parameter(&format!("{prefix}.weight"), device);
    let [width] = gamma.dims();
    let mut norm = LayerNormConfig::new(width).with_epsilon(LAYER_NORM_EPSILON).init(device);
    norm.gamma = gamma;
    norm.beta = Some(checkpoint.parameter(&format!("{prefix}.bias"), device));
    norm
}

/// Loads the layer with the parameters `{name}weight` and `{name}bias`.
fn load_linear(checkpoint: &mut Checkpoint, name: &str, device: &Device) -> Linear {
    let part = |part: &str| format!("{name}{part}");
    Linear {
        weight: checkpoint.parameter(&part("weight"), device),
        bias: Some(checkpoint.parameter(&part("bias"), device)),
    }
}
