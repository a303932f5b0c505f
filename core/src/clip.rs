//! CLIP: an image tower and a text tower that meet in one space, and the scale of their similarity.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, ClipConfig};
use crate::text::{self, TextTransformer};
use crate::vision::VisionTransformer;

/// Both towers of CLIP and `logit_scale`, to be trained; [`crate::encoder::ClipEncoder`] scores.
#[derive(Module, Debug)]
pub struct Clip {
    pub(crate) visual: VisionTransformer,
    pub(crate) text: Option<TextTransformer>,
    logit_scale: Param<Tensor<1>>,
    #[module(skip)]
    pub(crate) activation: Activation,
}

/// How a processor keeps the weights of blocks that score; on other devices burn keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In float16 where the file had that, else in float32: half of the memory, a little slower.
    Stored,
    /// In float32.
    Float32,
    /// In bfloat16, to which inputs are rounded, too: faster where the processor has instructions for it, and less exact.
    BFloat16,
    /// In 8-bit integers: faster, and less exact.
    #[cfg(not(target_arch = "wasm32"))]
    Int8,
}

impl Form {
    /// That of the text tower beside such an image tower.
    #[cfg(feature = "cpu")]
    pub(crate) fn of_texts(self) -> Self {
        if self == Self::Stored { self } else { Self::Float32 }
    }
}

impl Clip {
    /// Moves a checkpoint's tensors to `device`, one after the other, as float32.
    pub fn load(mut checkpoint: Checkpoint, device: &Device) -> Self {
        let ClipConfig { activation, vision, text, .. } = checkpoint.config().clone();
        Self {
            visual: VisionTransformer::load(&mut checkpoint, &vision, device),
            text: text.map(|text| TextTransformer::load(&mut checkpoint, &text, device)),
            logit_scale: checkpoint.parameter("logit_scale", device),
            activation,
        }
    }

    /// Image features `F_I`, Eq. 1; not unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, from [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn image_features(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.visual.forward(pixels, self.activation)
    }

    /// The feature of every token of every text, `[texts, longest, embed_dim]`, not unit length; a text's sentence feature
    /// is that of its end token. `None` when the model was exported without its text tower.
    pub fn token_features(&self, texts: &[&[u32]], device: &Device) -> Option<Tensor<3>> {
        Some(self.text.as_ref()?.forward(text::pad(texts, device), self.activation))
    }

    /// Stops training the scale of similarities, as IPCE does (SPEC §6).
    pub fn freeze_logit_scale(mut self) -> Self {
        self.logit_scale = self.logit_scale.no_grad();
        self
    }

    /// Stops training the image tower.
    pub fn freeze_image_tower(mut self) -> Self {
        self.visual = self.visual.no_grad();
        self
    }

    /// Stops training the text tower.
    pub fn freeze_text_tower(mut self) -> Self {
        self.text = self.text.map(Module::no_grad);
        self
    }

    /// The same model that multiplies its matrices in `dtype`: layers' weights and biases, and both
    /// projections.
    ///
    /// Residual streams, layer norms and embeddings stay as they are, as under PyTorch's automatic
    /// mixed precision. Gradients flow back to the parameters of `self`.
    pub fn multiplying_in(&self, dtype: FloatDType) -> Self {
        self.clone().map(&mut Matrices { dtype, change: Change::Cast, path: Vec::new() })
    }

    /// Rounds the parameters that [`Clip::multiplying_in`] names to `dtype` and keeps them in float32:
    /// what OpenAI's `clip.model.convert_weights` leaves of them.
    pub fn rounded_to(self, dtype: FloatDType) -> Self {
        self.map(&mut Matrices { dtype, change: Change::Round, path: Vec::new() })
    }

    /// The learned logarithm; `logit_scale().exp()` multiplies similarities. `[1]`
    pub fn logit_scale(&self) -> Tensor<1> {
        self.logit_scale.val()
    }
}

/// Fields, OpenAI's names, whose parameters take part in matrix products.
const MATRICES: [&str; 7] = ["conv1", "proj", "text_projection", "in_proj", "out_proj", "c_fc", "c_proj"];

/// Changes the element type of every parameter that takes part in a matrix product.
struct Matrices {
    dtype: FloatDType,
    change: Change,
    path: Vec<String>,
}

enum Change {
    /// Into another type, differentiably.
    Cast,
    /// Into another type and back, as new values.
    Round,
}

impl ModuleMapper for Matrices {
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
        let tensor = match self.change {
            Change::Cast => tensor.cast(self.dtype),
            Change::Round => {
                let is_trained = tensor.is_require_grad();
                let rounded = tensor.detach().set_require_grad(false).cast(self.dtype).cast(FloatDType::F32);
                rounded.detach().set_require_grad(is_trained)
            }
        };
        Param::from_mapped_value(id, tensor, mapper)
    }
}
