//! CLIP's image tower: a vision transformer whose class token is projected into the joint space.
//!
//! Reference: OpenAI CLIP, `model.py`, `VisionTransformer` (Radford et al. 2021, arXiv 2103.00020).

use burn::module::{Module, Param};
use burn::nn::LayerNorm;
use burn::tensor::{Device, Tensor, TensorData, assert_shape};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, VisionConfig};
use crate::preprocess::{Views, normalised};
use crate::transformer::{Attention, Transformer, layer_norm, project};

/// Where the blocks' parameters stand.
pub(crate) const VISION_BLOCKS: &str = "visual.transformer";

/// Pixels to image features.
#[derive(Module, Debug)]
pub struct VisionTransformer {
    pub(crate) stem: VisionStem,
    pub(crate) transformer: Transformer,
    pub(crate) image_size: usize,
    pub(crate) patch_size: usize,
}

/// What stands before and after the blocks.
#[derive(Module, Debug)]
pub(crate) struct VisionStem {
    pub(crate) conv1: Param<Tensor<2>>,
    pub(crate) class_embedding: Param<Tensor<1>>,
    pub(crate) positional_embedding: Param<Tensor<2>>,
    pub(crate) ln_pre: LayerNorm,
    pub(crate) ln_post: LayerNorm,
    pub(crate) proj: Param<Tensor<2>>,
}

impl VisionTransformer {
    pub(crate) fn load(checkpoint: &mut Checkpoint, config: &VisionConfig, device: &Device) -> Self {
        Self {
            stem: VisionStem::load(checkpoint, device),
            transformer: Transformer::load(checkpoint, VISION_BLOCKS, config.layers, device),
            image_size: config.image_size,
            patch_size: config.patch_size,
        }
    }

    /// Projects images into the joint space, Eq. 1; the result is not yet unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, from [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn forward(&self, pixels: Tensor<4>, activation: Activation) -> Tensor<2> {
        assert_shape!(pixels, [_, 3, self.image_size, self.image_size]);
        self.forward_patches(cut(pixels, self.patch_size), activation)
    }

    /// As [`Self::forward`], of images that are patches already.
    ///
    /// # Shapes
    /// - `patches`: `[batch, grid², 3 · patch_size²]`
    /// - returns: `[batch, embed_dim]`
    pub(crate) fn forward_patches(&self, patches: Tensor<3>, activation: Activation) -> Tensor<2> {
        let tokens = self.stem.embed(patches);
        self.stem.finish(self.transformer.forward(tokens, Attention::Full, activation))
    }
}

impl VisionStem {
    pub(crate) fn load(checkpoint: &mut Checkpoint, device: &Device) -> Self {
        Self {
            conv1: checkpoint.parameter("visual.conv1.weight", device),
            class_embedding: checkpoint.parameter("visual.class_embedding", device),
            positional_embedding: checkpoint.parameter("visual.positional_embedding", device),
            ln_pre: layer_norm(checkpoint, "visual.ln_pre", device),
            ln_post: layer_norm(checkpoint, "visual.ln_post", device),
            proj: checkpoint.parameter("visual.proj", device),
        }
    }

    /// `[batch, grid², 3 · patch_size²]` to `[batch, 1 + grid², width]`.
    pub(crate) fn embed(&self, patches: Tensor<3>) -> Tensor<3> {
        let [batch, patches_each, patch_len] = patches.dims();
        // `conv1`: its stride is its kernel size, so it is one matrix product over flattened patches.
        let patches = project(patches.reshape([batch * patches_each, patch_len]), self.conv1.val());
        let [_, width] = patches.dims();
        let patches = patches.reshape([batch, patches_each, width]);
        let class = self.class_embedding.val().reshape([1, 1, width]).expand([batch, 1, width]);
        let tokens = Tensor::cat(vec![class, patches], 1); // [batch, 1 + grid², width]
        self.ln_pre.forward(tokens + self.positional_embedding.val().unsqueeze::<3>())
    }

    /// The class token's feature, `[batch, 1 + grid², width]` to `[batch, embed_dim]`.
    pub(crate) fn finish(&self, tokens: Tensor<3>) -> Tensor<2> {
        let class = tokens.narrow(1, 0, 1).squeeze_dim::<2>(1); // [batch, width]
        project(self.ln_post.forward(class), self.proj.val())
    }
}

/// Pixels as patches, `[batch, 3, height, width]` to `[batch, grid², 3 · side²]`.
pub(crate) fn cut(pixels: Tensor<4>, side: usize) -> Tensor<3> {
    let [batch, channels, height, width] = pixels.dims();
    let (rows, columns) = (height / side, width / side);
    pixels
        .reshape([batch, channels, rows, side, columns, side])
        .permute([0, 2, 4, 1, 3, 5]) // [batch, rows, columns, channels, side, side]
        .reshape([batch, rows * columns, channels * side * side])
}

/// Views of images, normalised and in the order of their patches, which spares the device a pass over them.
///
/// # Shapes
/// - returns: `[views, grid², 3 · patch_size²]`
pub(crate) fn patches(images: &[&Views], config: &VisionConfig, device: &Device) -> Tensor<3> {
    let (side, width) = (config.patch_size, config.image_size);
    let (grid, area) = (width / side, width * width);
    let views: usize = images.iter().map(|views| views.plan.len()).sum();
    let mut patches = Vec::with_capacity(views * 3 * area);
    // Where each line of each patch starts in a plane, patch after patch.
    let starts: Vec<Vec<usize>> = (0..grid * grid)
        .map(|patch| (0..side).map(|line| (patch / grid * side + line) * width + patch % grid * side).collect())
        .collect();
    for views in images {
        for image in views.image.chunks_exact(3 * area) {
            for lines in &starts {
                for plane in image.chunks_exact(area) {
                    lines.iter().for_each(|&start| patches.extend_from_slice(&plane[start..][..side]));
                }
            }
        }
        for window in views.crops.as_chunks().0.chunks_exact(area) {
            for lines in &starts {
                for channel in 0..3 {
                    lines.iter().for_each(|&start| patches.extend(normalised(&window[start..][..side], channel)));
                }
            }
        }
    }
    Tensor::from_data(TensorData::new(patches, [views, grid * grid, 3 * side * side]), device)
}
