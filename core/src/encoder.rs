//! CLIP as it scores, without gradients: both towers in the form that their device is best at.
//!
//! There is one form for processors, one for GPUs, and burn's own operations for everything else.

#[cfg(feature = "cpu")]
mod processor;

use burn::tensor::{Device, Int, Tensor, assert_shape};

use crate::checkpoint::Checkpoint;
use crate::clip::{Clip, Form};
use crate::config::VisionConfig;
#[cfg(feature = "cpu")]
pub use crate::cpu::is_cpu;
#[cfg(feature = "gpu")]
use crate::gpu::{Adapter, GpuTowers};
use crate::preprocess::Views;
use crate::rows::{self, Rows};
use crate::text;
use crate::vision;

/// Both towers in the form of some kind of device.
pub(crate) trait Towers: Send {
    /// `[batch, grid², 3 · patch_size²]` to `[batch, embed_dim]`, not unit length.
    fn image_features(&self, patches: Tensor<3>) -> Tensor<2>;

    /// `[texts, longest]` to `[texts, longest, embed_dim]`, not unit length. `None` without a text tower.
    fn token_features(&self, ids: Tensor<2, Int>) -> Option<Tensor<3>>;

    /// Rows of matrices of this device, one below the other.
    fn collect(&self, parts: &[Rows]) -> Tensor<2> {
        rows::collect(parts)
    }

    /// Whether few passes count for more than few numbers.
    fn is_padding_cheap(&self) -> bool {
        true
    }
}

impl Towers for Clip {
    fn image_features(&self, patches: Tensor<3>) -> Tensor<2> {
        self.visual.forward_patches(patches, self.activation)
    }

    fn token_features(&self, ids: Tensor<2, Int>) -> Option<Tensor<3>> {
        Some(self.text.as_ref()?.forward(ids, self.activation))
    }
}

/// Both towers of CLIP and the scale of their similarities, to score with.
pub struct ClipEncoder {
    towers: Box<dyn Towers>,
    has_text_tower: bool,
    vision: VisionConfig,
    /// The learned logarithm in each place of a feature, `[1, embed_dim]`, so that it is collected with them.
    scale_row: Rows,
}

impl ClipEncoder {
    /// Moves a checkpoint's tensors to `device`, one after the other; `form` is that of the image tower on a processor.
    pub fn load(checkpoint: Checkpoint, device: &Device, form: Form) -> Self {
        #[cfg(feature = "cpu")]
        if is_cpu(device) {
            return Self::on_processor(checkpoint, device, form);
        }
        let _ = form;
        let vision = checkpoint.config().vision.clone();
        Self::of_device(Clip::load(checkpoint, device), vision)
    }

    /// A model that was trained, on `device`.
    pub fn new(clip: Clip, vision: &VisionConfig, device: &Device) -> Self {
        #[cfg(feature = "cpu")]
        if is_cpu(device) {
            return Self {
                has_text_tower: clip.text.is_some(),
                scale_row: scale_row(&clip),
                towers: Box::new(processor::ProcessorTowers::new(clip)),
                vision: vision.clone(),
            };
        }
        let _ = device;
        Self::of_device(clip, vision.clone())
    }

    #[cfg(feature = "cpu")]
    fn on_processor(mut checkpoint: Checkpoint, device: &Device, form: Form) -> Self {
        let config = checkpoint.config().clone();
        let logit_scale: Tensor<1> = checkpoint.tensor("logit_scale", device);
        Self {
            towers: Box::new(processor::ProcessorTowers::load(&mut checkpoint, &config, device, form)),
            has_text_tower: config.text.is_some(),
            vision: config.vision,
            scale_row: Rows::all(logit_scale.unsqueeze::<2>().repeat_dim(1, config.embed_dim)),
        }
    }

    /// In the form for GPUs where that fits, and else as burn computes it.
    fn of_device(clip: Clip, vision: VisionConfig) -> Self {
        #[cfg(feature = "gpu")]
        if let Some(encoder) = Self::on_gpu(&clip, &vision, None) {
            return encoder;
        }
        let (has_text_tower, scale_row) = (clip.text.is_some(), scale_row(&clip));
        Self { towers: Box::new(clip), has_text_tower, vision, scale_row }
    }

    /// In the form for GPUs, with kernels for another adapter than the device's if one is named; all of them run on all.
    /// `None` for a model that is on no GPU, tracks gradients, or has widths that are no multiples of four.
    #[cfg(feature = "gpu")]
    pub fn on_gpu(clip: &Clip, vision: &VisionConfig, adapter: Option<Adapter>) -> Option<Self> {
        Some(Self {
            towers: Box::new(GpuTowers::new(clip, adapter)?),
            has_text_tower: clip.text.is_some(),
            vision: vision.clone(),
            scale_row: scale_row(clip),
        })
    }

    /// Image features `F_I`, Eq. 1; not unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, from [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn image_features(&self, pixels: Tensor<4>) -> Tensor<2> {
        let VisionConfig { image_size, patch_size, .. } = self.vision;
        assert_shape!(pixels, [_, 3, image_size, image_size]);
        self.towers.image_features(vision::cut(pixels, patch_size))
    }

    /// As [`ClipEncoder::image_features`], of the views of some images; `[views, embed_dim]`.
    pub fn view_features(&self, images: &[&Views], device: &Device) -> Tensor<2> {
        self.towers.image_features(vision::patches(images, &self.vision, device))
    }

    /// As [`Clip::token_features`].
    pub fn token_features(&self, texts: &[&[u32]], device: &Device) -> Option<Tensor<3>> {
        self.towers.token_features(text::pad(texts, device))
    }

    /// Rows of matrices, one below the other.
    pub(crate) fn collect(&self, parts: &[Rows]) -> Tensor<2> {
        self.towers.collect(parts)
    }

    /// Whether texts of different lengths cost little more together than one by one.
    pub(crate) fn is_padding_cheap(&self) -> bool {
        self.towers.is_padding_cheap()
    }

    /// Whether texts can be encoded.
    pub fn has_text_tower(&self) -> bool {
        self.has_text_tower
    }

    /// The learned logarithm; `logit_scale().exp()` multiplies similarities. `[1]`
    pub fn logit_scale(&self) -> Tensor<1> {
        Tensor::clone(&self.scale_row.matrix).narrow(1, 0, 1).flatten(0, 1)
    }

    /// The same in each place of a row, `[1, embed_dim]`.
    pub(crate) fn scale_row(&self) -> Rows {
        self.scale_row.clone()
    }
}

/// Nor is there a processor to compute on without the feature.
#[cfg(not(feature = "cpu"))]
pub fn is_cpu(_: &Device) -> bool {
    false
}

fn scale_row(clip: &Clip) -> Rows {
    let [_, embed_dim] = clip.visual.stem.proj.dims();
    Rows::all(clip.logit_scale().unsqueeze::<2>().repeat_dim(1, embed_dim))
}
