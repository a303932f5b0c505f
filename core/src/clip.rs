//! CLIP: an image tower and a text tower that meet in one space, and the scale of their similarity.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, FloatDType, Tensor};

use crate::checkpoint::Checkpoint;
use crate::config::{Activation, ClipConfig};
#[cfg(feature = "cpu")]
pub(crate) use crate::cpu::is_cpu;
use crate::preprocess::Views;
use crate::text::TextTransformer;
use crate::vision::VisionTransformer;

/// Both towers of CLIP and `logit_scale`.
#[derive(Module, Debug)]
pub struct Clip {
    visual: VisionTransformer,
    text: Option<TextTransformer>,
    logit_scale: Param<Tensor<1>>,
    #[module(skip)]
    activation: Activation,
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
    fn of_texts(self) -> Self {
        if self == Self::Stored { self } else { Self::Float32 }
    }
}

impl Clip {
    /// Moves a checkpoint's tensors to `device`, one after the other, as float32.
    pub fn load(checkpoint: Checkpoint, device: &Device) -> Self {
        Self::load_as(checkpoint, device, None)
    }

    /// The same for scoring alone, without gradients; `form` is that of the image tower.
    pub fn load_for_scoring(checkpoint: Checkpoint, device: &Device, form: Form) -> Self {
        Self::load_as(checkpoint, device, is_cpu(device).then_some(form))
    }

    fn load_as(mut checkpoint: Checkpoint, device: &Device, form: Option<Form>) -> Self {
        let ClipConfig { activation, vision, text, .. } = checkpoint.config().clone();
        let text_form = form.map(Form::of_texts);
        Self {
            visual: VisionTransformer::load(&mut checkpoint, &vision, device, form),
            text: text.map(|text| TextTransformer::load(&mut checkpoint, &text, device, text_form)),
            logit_scale: checkpoint.parameter("logit_scale", device),
            activation,
        }
    }

    /// A model that was trained, for scoring alone: faster where `device` is the processor, and then the parameters of its
    /// blocks are not to be seen or trained any more.
    pub fn for_scoring(self, device: &Device) -> Self {
        if !is_cpu(device) {
            return self;
        }
        let (visual, text) = (self.visual.for_scoring(), self.text.map(TextTransformer::for_scoring));
        Self { visual, text, ..self }
    }

    /// Image features `F_I`, Eq. 1; not unit length.
    ///
    /// # Shapes
    /// - `pixels`: `[batch, 3, image_size, image_size]`, from [`crate::preprocess`]
    /// - returns: `[batch, embed_dim]`
    pub fn image_features(&self, pixels: Tensor<4>) -> Tensor<2> {
        self.visual.forward(pixels, self.activation)
    }

    /// As [`Clip::image_features`], of the views of some images; `[views, embed_dim]`.
    pub fn view_features(&self, images: &[&Views], device: &Device) -> Tensor<2> {
        let patches = self.visual.patches(images, device);
        self.visual.forward_patches(patches, self.activation)
    }

    /// The feature of every token of every text, `[texts, longest, embed_dim]`; see
    /// [`TextTransformer::forward`]. `None` when the model was exported without its text tower.
    pub fn token_features(&self, texts: &[&[u32]], device: &Device) -> Option<Tensor<3>> {
        Some(self.text.as_ref()?.forward(texts, self.activation, device))
    }

    /// Whether texts can be encoded.
    pub fn has_text_tower(&self) -> bool {
        self.text.is_some()
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

/// Nor is there a processor to compute on without the feature.
#[cfg(not(feature = "cpu"))]
pub(crate) fn is_cpu(_: &Device) -> bool {
    false
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
