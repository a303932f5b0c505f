//! CLIP: an image tower and a text tower with a joint feature space, and the scale of similarities.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, ClipConfig};
use crate::text::{self, TextTransformer};
use crate::vision::VisionTransformer;

/// Both towers of CLIP and `logit_scale`, for training. [`crate::encoder::ClipEncoder`] is the model for scoring.
#[derive(Module, Debug)]
pub struct Clip {
    pub(crate) visual: VisionTransformer,
    pub(crate) text: Option<TextTransformer>,
    logit_scale: Param<Tensor<1>>,
    #[module(skip)]
    pub(crate) activation: Activation,
}

/// How a processor stores the weights of blocks for scoring. Other devices always have float32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightFormat {
    /// As the file has them, to save memory. Float16 is multiplied in float32, and slightly slower. If the file has 8-bit
    /// integers, the image tower is as with [`WeightFormat::Int8`], and the text tower in float32.
    Stored,
    /// Float32.
    Float32,
    /// Bfloat16; inputs are rounded to bfloat16, too. Less exact, and faster on processors with instructions for it.
    BFloat16,
    /// 8-bit integers; inputs are quantised, too. Faster and less exact.
    Int8,
}

impl WeightFormat {
    /// The format of the text tower if `self` is that of the image tower.
    #[cfg(feature = "cpu")]
    pub(crate) fn of_text_tower(self) -> Self {
        if self == Self::Stored { self } else { Self::Float32 }
    }
}

impl Clip {
    /// Moves a checkpoint's tensors to `device` as float32, one after the other.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "cpu")] {
    /// use burn::tensor::{Device, Tensor};
    /// use tsp_mgs_core::{clip::Clip, seeded, selfcheck};
    ///
    /// let device = Device::flex();
    /// let clip = Clip::load(seeded::checkpoint(selfcheck::config(), 1), &device);
    /// let features = clip.image_features(Tensor::zeros([2, 3, 96, 96], &device));
    /// assert_eq!(features.dims(), [2, 32]); // [batch, embed_dim]
    /// # }
    /// ```
    pub fn load(mut checkpoint: Checkpoint, device: &Device) -> Self {
        let ClipConfig { activation, vision, text, .. } = checkpoint.config().clone();
        Self {
            visual: VisionTransformer::load(&mut checkpoint, &vision, device),
            text: text.map(|text| TextTransformer::load(&mut checkpoint, &text, device)),
            logit_scale: checkpoint.parameter("logit_scale", device),
            activation,
        }
    }

    /// Image features `F_I` (Eq. 1), not of unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, normalised as in [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn image_features(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.visual.forward(pixels, self.activation)
    }

    /// Features of all tokens of all texts, not of unit length; `[texts, longest, embed_dim]`. The feature of a text's end token is
    /// the feature of the whole text.
    ///
    /// Returns `None` if the model has no text tower.
    pub fn token_features(&self, texts: &[&[u32]], device: &Device) -> Option<Tensor<3>> {
        Some(self.text.as_ref()?.forward(text::pad(texts, device), self.activation))
    }

    /// The size of the vocabulary; `None` without a text tower.
    pub(crate) fn vocab_size(&self) -> Option<usize> {
        let [vocab_size, _] = self.text.as_ref()?.stem.token_embedding.weight.dims();
        Some(vocab_size)
    }

    /// Excludes the scale of similarities from training, as IPCE does (SPEC §6).
    pub fn freeze_logit_scale(mut self) -> Self {
        self.logit_scale = self.logit_scale.no_grad();
        self
    }

    /// Excludes the image tower from training.
    pub fn freeze_image_tower(mut self) -> Self {
        self.visual = self.visual.no_grad();
        self
    }

    /// Excludes the text tower from training.
    pub fn freeze_text_tower(mut self) -> Self {
        self.text = self.text.map(Module::no_grad);
        self
    }

    /// A copy of the model whose matrix products are computed in `dtype`: the weights and biases of layers, and both projections,
    /// are cast.
    ///
    /// Residual streams, layer norms and embeddings are unchanged, as in PyTorch's automatic mixed precision. Gradients flow back
    /// to the parameters of `self`.
    pub fn multiplying_in(&self, dtype: FloatDType) -> Self {
        self.clone().map(&mut MatrixCast { dtype, cast: Cast::Differentiable, path: Vec::new() })
    }

    /// Rounds the parameters of matrix products to `dtype` and keeps them in float32. The values are those that OpenAI's
    /// `clip.model.convert_weights` gives.
    pub fn rounded_to(self, dtype: FloatDType) -> Self {
        self.map(&mut MatrixCast { dtype, cast: Cast::RoundTrip, path: Vec::new() })
    }

    /// The learned logarithm, `[1]`. Similarities are multiplied by `logit_scale().exp()`.
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.val()
    }
}

/// The fields whose parameters are used in matrix products.
const MATRICES: [&str; 7] = ["conv1", "proj", "text_projection", "in_proj", "out_proj", "c_fc", "c_proj"];

/// Casts the parameters of matrix products.
struct MatrixCast {
    dtype: FloatDType,
    cast: Cast,
    /// The names of the modules that are being visited, from the outermost to the innermost.
    path: Vec<String>,
}

enum Cast {
    /// To the new type. Gradients flow back.
    Differentiable,
    /// To the new type and back to float32. The result is a new parameter without history.
    RoundTrip,
}

impl ModuleMapper for MatrixCast {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if !self.path.iter().any(|name| MATRICES.contains(&name.as_str())) {
            return parameter;
        }
        let (id, tensor, mapper) = parameter.consume();
        let tensor = match self.cast {
            Cast::Differentiable => tensor.cast(self.dtype),
            Cast::RoundTrip => {
                let is_trained = tensor.is_require_grad();
                let rounded = tensor.detach().set_require_grad(false).cast(self.dtype).cast(FloatDType::F32);
                rounded.detach().set_require_grad(is_trained)
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}
