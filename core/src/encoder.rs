//! CLIP for scoring, without gradients. Both towers are packed for the device that they run on.
//!
//! There are implementations for processors and for GPUs. Burn's operations are used for everything else.

#[cfg(feature = "cpu")]
mod processor;

use burn::tensor::{Device, Tensor, TensorData, assert_shape};

use crate::checkpoint::Checkpoint;
use crate::clip::{Clip, WeightFormat};
use crate::config::VisionConfig;
#[cfg(feature = "cpu")]
pub use crate::cpu::is_cpu;
#[cfg(feature = "gpu")]
use crate::gpu::{Adapter, GpuTowers};
use crate::preprocess::Views;
use crate::rows::Rows;
use crate::text;
use crate::towers::Towers;
use crate::vision;

/// Both towers of CLIP and the scale of their similarities, for scoring.
pub struct ClipEncoder {
    towers: Box<dyn Towers>,
    /// The size of the vocabulary; `None` without a text tower.
    vocab_size: Option<usize>,
    vision: VisionConfig,
    /// `[1]`
    logit_scale: Tensor<1>,
}

impl ClipEncoder {
    /// Moves a checkpoint's tensors to `device`, one after the other. `format` is the weight format of the image tower on a
    /// processor; other devices ignore it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "cpu")] {
    /// use burn::tensor::Device;
    /// use tsp_mgs_core::clip::WeightFormat;
    /// use tsp_mgs_core::encoder::ClipEncoder;
    /// use tsp_mgs_core::preprocess::{ViewPlan, views};
    /// use tsp_mgs_core::{seeded, selfcheck};
    ///
    /// let (config, device) = (selfcheck::config(), Device::flex());
    /// let plan = ViewPlan { side: config.vision.image_size as u32, has_image: true, crops: 2 };
    /// let clip = ClipEncoder::load(seeded::checkpoint(config, 1), &device, WeightFormat::Float32);
    /// let views = views(&image::RgbImage::new(512, 512), plan).unwrap();
    /// assert_eq!(clip.view_features(&[&views], &device).dims(), [3, 32]); // [views, embed_dim]
    /// # }
    /// ```
    pub fn load(checkpoint: Checkpoint, device: &Device, format: WeightFormat) -> Self {
        #[cfg(feature = "cpu")]
        if is_cpu(device) {
            return Self::on_processor(checkpoint, device, format);
        }
        let _ = format;
        let vision = checkpoint.config().vision.clone();
        Self::of_device(Clip::load(checkpoint, device), vision)
    }

    /// Takes a trained model whose parameters are on `device`.
    pub fn new(clip: Clip, vision: &VisionConfig, device: &Device) -> Self {
        #[cfg(feature = "cpu")]
        if is_cpu(device) {
            return Self {
                vocab_size: clip.vocab_size(),
                logit_scale: clip.logit_scale(),
                towers: Box::new(processor::ProcessorTowers::new(clip)),
                vision: vision.clone(),
            };
        }
        let _ = device;
        Self::of_device(clip, vision.clone())
    }

    #[cfg(feature = "cpu")]
    fn on_processor(mut checkpoint: Checkpoint, device: &Device, format: WeightFormat) -> Self {
        let config = checkpoint.config().clone();
        let logit_scale = checkpoint.tensor("logit_scale", device);
        Self {
            towers: Box::new(processor::ProcessorTowers::load(&mut checkpoint, &config, device, format)),
            vocab_size: config.text.map(|text| text.vocab_size),
            vision: config.vision,
            logit_scale,
        }
    }

    /// The towers for GPUs if they support the model, else burn's operations.
    fn of_device(clip: Clip, vision: VisionConfig) -> Self {
        #[cfg(feature = "gpu")]
        if let Some(encoder) = Self::on_gpu(&clip, &vision, None) {
            return encoder;
        }
        let (vocab_size, logit_scale) = (clip.vocab_size(), clip.logit_scale());
        Self { towers: Box::new(clip), vocab_size, vision, logit_scale }
    }

    /// The towers for GPUs. `adapter` selects the kernels for another adapter than the device's; each kernel runs on each GPU.
    ///
    /// Returns `None` for a model that is not on a GPU, tracks gradients, or has widths that are not multiples of four.
    #[cfg(feature = "gpu")]
    pub fn on_gpu(clip: &Clip, vision: &VisionConfig, adapter: Option<Adapter>) -> Option<Self> {
        Some(Self {
            towers: Box::new(GpuTowers::new(clip, adapter)?),
            vocab_size: clip.vocab_size(),
            vision: vision.clone(),
            logit_scale: clip.logit_scale(),
        })
    }

    /// Image features `F_I` (Eq. 1), not of unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, normalised as in [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn image_features(&self, pixels: Tensor<4>) -> Tensor<2> {
        let VisionConfig { image_size, patch_size, .. } = self.vision;
        assert_shape!(pixels, [_, 3, image_size, image_size]);
        self.towers.image_features(vision::to_tokens(pixels, patch_size))
    }

    /// Features of all views of some images, not of unit length; `[views, embed_dim]`. The pixels are uploaded in the order of
    /// tokens, so the device does not have to rearrange them.
    pub fn view_features(&self, images: &[&Views], device: &Device) -> Tensor<2> {
        let VisionConfig { image_size, patch_size, .. } = self.vision;
        let lengths: Vec<usize> = images.iter().map(|views| views.plan.pixel_count()).collect();
        let mut pixels = vec![0.0; lengths.iter().sum()];
        let mut rest = pixels.as_mut_slice();
        for (views, length) in images.iter().zip(lengths) {
            let (own, others) = rest.split_at_mut(length);
            views.write_pixels(patch_size as u32, own);
            rest = others;
        }
        let views = pixels.len() / (3 * image_size * image_size);
        let shape = [views, self.vision.grid().pow(2), 3 * patch_size * patch_size];
        self.towers.image_features(Tensor::from_data(TensorData::new(pixels, shape), device))
    }

    /// As [`Clip::token_features`].
    ///
    /// # Panics
    /// If a token id is outside the vocabulary, or a text is longer than the model's context.
    pub fn token_features(&self, texts: &[&[u32]], device: &Device) -> Option<Tensor<3>> {
        let vocab_size = self.vocab_size?;
        assert!(texts.iter().copied().flatten().all(|&id| (id as usize) < vocab_size), "token ids of the vocabulary");
        self.towers.token_features(text::pad(texts, device))
    }

    /// Copies rows of matrices into one matrix, in order.
    pub(crate) fn gather(&self, parts: &[Rows]) -> Tensor<2> {
        self.towers.gather(parts)
    }

    /// Whether texts of different lengths are encoded faster together, with padding, than one by one.
    pub(crate) fn is_padding_cheap(&self) -> bool {
        self.towers.is_padding_cheap()
    }

    /// Whether the model can encode texts.
    pub fn has_text_tower(&self) -> bool {
        self.vocab_size.is_some()
    }

    /// The learned logarithm, `[1]`. Similarities are multiplied by `logit_scale().exp()`.
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.clone()
    }
}

/// Whether `device` is the processor. A build without the feature `cpu` cannot compute on it.
#[cfg(not(feature = "cpu"))]
pub fn is_cpu(_: &Device) -> bool {
    false
}
