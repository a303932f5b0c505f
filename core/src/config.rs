//! The sizes of a CLIP model, all of them read from a checkpoint's tensor shapes (SPEC §8).

use serde::{Deserialize, Serialize};

use crate::tokenizer::VOCAB_SIZE;

/// OpenAI's models have this width of an attention head, whatever their size, and so do all text towers.
const HEAD_WIDTH: usize = 64;

/// The activation between the two linear layers of each block.
///
/// No tensor tells it: OpenAI's weights need [`Activation::QuickGelu`], LAION's open_clip weights
/// name theirs in their configuration file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · σ(1.702 x)`: OpenAI's weights.
    #[default]
    QuickGelu,
    /// The exact Gaussian error linear unit: most of LAION's weights.
    Gelu,
}

impl Activation {
    /// Whether it is that of OpenAI's weights, which settings need not mention.
    pub fn is_quick_gelu(&self) -> bool {
        *self == Self::QuickGelu
    }
}

/// Every size of a CLIP model with a vision transformer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipConfig {
    /// Width of the joint space of images and texts.
    pub embed_dim: usize,
    /// Activation of both towers.
    pub activation: Activation,
    /// The image tower.
    pub vision: VisionConfig,
    /// The text tower; `None` in a bundle that was exported without it.
    pub text: Option<TextConfig>,
}

/// Sizes of the image tower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionConfig {
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Side of a square patch in pixels.
    pub patch_size: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Width between the two linear layers of a block.
    pub mlp_width: usize,
    /// Number of residual attention blocks.
    pub layers: usize,
}

/// Sizes of the text tower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextConfig {
    /// Longest text in tokens, start and end included.
    pub context_length: usize,
    /// Number of token embeddings.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Width between the two linear layers of a block.
    pub mlp_width: usize,
    /// Number of residual attention blocks.
    pub layers: usize,
}

impl ClipConfig {
    /// OpenAI's ViT-B/32, the model of the paper (151,277,313 parameters).
    pub fn vit_b_32() -> Self {
        Self {
            embed_dim: 512,
            activation: Activation::QuickGelu,
            vision: VisionConfig { image_size: 224, patch_size: 32, width: 768, mlp_width: 3072, layers: 12 },
            text: Some(TextConfig {
                context_length: 77,
                vocab_size: VOCAB_SIZE,
                width: 512,
                mlp_width: 2048,
                layers: 12,
            }),
        }
    }
}

impl VisionConfig {
    /// Patches along one side.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
}

/// Number of attention heads of a text tower of this width: `width / 64`, at least 1.
pub fn heads(width: usize) -> usize {
    (width / HEAD_WIDTH).max(1)
}

/// Number of attention heads of an image tower of this width.
///
/// As of a text tower, but for LAION's largest (open_clip, `model_configs`, `head_width`); PickScore and HPS v2
/// are ViT-H/14.
pub fn image_heads(width: usize) -> usize {
    match width {
        1280 => width / 80,  // ViT-H/14
        1408 => width / 88,  // ViT-g/14
        1664 => width / 104, // ViT-bigG/14
        _ => heads(width),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_towers_have_their_heads() {
        // OpenAI: B/32, L/14; LAION: H/14, g/14, bigG/14.
        assert_eq!([768, 1024, 1280, 1408, 1664].map(image_heads), [12, 16, 16, 16, 16]);
        // B/32, L/14, H/14 and g/14, bigG/14.
        assert_eq!([512, 768, 1024, 1280].map(heads), [8, 12, 16, 20]);
    }
}
