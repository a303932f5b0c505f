//! Everything that can be wrong with what a caller hands to this crate.

/// What went wrong, with the place and what was expected; lower case, no full stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are no image of a format that we decode.
    #[error("not an image that can be decoded: {0} (PNG, JPEG, WebP, GIF, BMP and TIFF are read)")]
    Image(image::ImageError),
    /// There is no byte.
    #[error("the file is empty, expected an image")]
    Empty,
    /// A TIFF file whose pixels are of a kind that is not decoded.
    #[error("a TIFF file of a kind that is not read ({0}); grey, RGB and CMYK in 8 or 16 bits are: save it as PNG")]
    Tiff(image::error::UnsupportedError),
    /// The file ends before the picture does.
    #[error("the image is damaged: its file ends too early")]
    Truncated,
    /// A JPEG file of a kind that would be decoded to wrong colours.
    #[error(
        "a JPEG file of a kind that is not read: its colour components have scans of their own, and it is not progressive and of \
         three components; save it anew, or as PNG"
    )]
    Scans,
    /// The image is larger than [`crate::preprocess::MAX_SIDE`].
    #[error("the image is {width} × {height} pixels, expected 1 to {max} a side")]
    ImageSize {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// The longest side that is decoded.
        max: u32,
    },
    /// More patches than the image has windows, or none.
    #[error("{found} crops were asked for, expected 1 to {max}")]
    Crops {
        /// Windows asked for.
        found: usize,
        /// Windows that every image has.
        max: usize,
    },
    /// The file is no safetensors file, or a broken one.
    #[error("not a safetensors file, or a truncated one: {0}")]
    Safetensors(safetensors::SafeTensorError),
    /// No known CLIP tensor name.
    #[error(
        "no CLIP weights: none of the {found} tensors is `visual.conv1.weight` (OpenAI, open_clip) or \
         `vision_model.embeddings.patch_embedding.weight` (Hugging Face); the first is `{first}`"
    )]
    NotClip {
        /// How many tensors the file holds.
        found: usize,
        /// The first name in alphabetical order.
        first: String,
    },
    /// The model needs a tensor that the checkpoint does not hold.
    #[error("the checkpoint has no tensor `{0}`")]
    MissingTensor(String),
    /// The checkpoint holds tensors that no parameter takes.
    #[error("the checkpoint has {} tensors that the model has no place for, the first is `{}`", .0.len(), .0[0])]
    UnusedTensors(Vec<String>),
    /// A tensor has another shape than its neighbours demand.
    #[error("tensor `{name}` has shape {found:?}, expected {expected}")]
    Shape {
        /// Name in the file.
        name: String,
        /// What fits, in words or as a shape.
        expected: String,
        /// Shape in the file.
        found: Vec<usize>,
    },
    /// A weight that is no floating-point tensor.
    #[error("tensor `{name}` has element type {found:?}, expected F32, F16 or BF16")]
    ElementType {
        /// Name in the file.
        name: String,
        /// Element type in the file.
        found: safetensors::Dtype,
    },
    /// A weight that is no number, or infinite.
    #[error(
        "tensor `{0}` has values that are not numbers or are infinite: the file is damaged, or training went wrong"
    )]
    NotFiniteWeight(String),
    /// Sizes that make no model.
    #[error("unsupported model size: {0}")]
    Config(String),
    /// Options that contradict each other or the model.
    #[error("{0}")]
    Options(String),
    /// Weights cannot be multiplied in this number type here.
    #[error("{precision}: {reason}")]
    Precision {
        /// As the command line calls the type.
        precision: &'static str,
        /// What stands against it.
        reason: &'static str,
    },
    /// `model.json` or a shard of a bundle is not as it should be.
    #[error("model bundle: {0}")]
    Bundle(String),
    /// The model computed a score that is no number.
    #[error("the model gave a score that is not a number: its weights are damaged, or the device overflowed")]
    NotFinite,
}

// Both texts hold their cause, so it is no `source`: a chain of causes would say it twice.
impl From<image::ImageError> for Error {
    fn from(error: image::ImageError) -> Self {
        Self::Image(error)
    }
}

impl From<safetensors::SafeTensorError> for Error {
    fn from(error: safetensors::SafeTensorError) -> Self {
        Self::Safetensors(error)
    }
}

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
