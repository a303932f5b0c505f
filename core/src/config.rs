//! The sizes of a CLIP model. They are read from the tensor shapes of a checkpoint (SPEC §8).

use serde::{Deserialize, Serialize};

use crate::tokenizer::VOCAB_SIZE;

/// The width of an attention head in OpenAI's models and in all text towers.
const HEAD_WIDTH: usize = 64;

/// The activation between the two linear layers of each block.
///
/// A checkpoint's tensors do not determine it. OpenAI's weights need [`Activation::QuickGelu`]. The configuration files of
/// open_clip's weights name theirs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · σ(1.702 x)`, for OpenAI's weights.
    #[default]
    QuickGelu,
    /// The exact Gaussian error linear unit, for most of LAION's weights.
    Gelu,
}

impl Activation {
    /// Whether it is the activation of OpenAI's weights, which settings leave out.
    pub fn is_quick_gelu(&self) -> bool {
        *self == Self::QuickGelu
    }
}

/// The sizes and the activation of a CLIP model with a vision transformer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClipConfig {
    /// Width of the joint space of images and texts.
    pub embed_dim: usize,
    /// The activation of both towers.
    pub activation: Activation,
    /// The image tower.
    pub vision: VisionConfig,
    /// The text tower; `None` for a bundle that was exported without one.
    pub text: Option<TextConfig>,
}

/// Sizes of the image tower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VisionConfig {
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Side of a square token in pixels. The ViT paper calls an image's tokens patches.
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
    /// The longest text in tokens, with start and end.
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
    /// OpenAI's ViT-B/32, the model of the paper, with 151,277,313 parameters.
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
    /// The number of tokens along one side of an image.
    pub fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }
}

/// The number of attention heads of a text tower of this width: `width / 64`, at least 1.
pub fn heads(width: usize) -> usize {
    (width / HEAD_WIDTH).max(1)
}

/// The number of attention heads of an image tower of this width.
///
/// It is that of a text tower, except for LAION's largest models (open_clip, `model_configs`, `head_width`). PickScore and HPS v2
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
    fn heads_equal_those_of_published_models() {
        // OpenAI: B/32, L/14; LAION: H/14, g/14, bigG/14.
        assert_eq!([768, 1024, 1280, 1408, 1664].map(image_heads), [12, 16, 16, 16, 16]);
        // B/32, L/14, H/14 and g/14, bigG/14.
        assert_eq!([512, 768, 1024, 1280].map(heads), [8, 12, 16, 20]);
    }
}
