//! The errors of this crate.

/// An error in an input. Its text names the place, what was expected and what was found; it is lower case, without a full stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not an image of a supported format.
    #[error("not an image that can be decoded: {0} (PNG, JPEG, WebP, GIF, BMP and TIFF are read)")]
    Image(image::ImageError),
    /// There are no bytes.
    #[error("the file is empty, expected an image")]
    Empty,
    /// A TIFF file with an unsupported kind of pixels.
    #[error(
        "this kind of TIFF file is not supported ({0}), expected grey, RGB or CMYK in 8 or 16 bits; save it as PNG"
    )]
    Tiff(image::error::UnsupportedError),
    /// The file ends before the image does.
    #[error("the image is damaged: its file ends too early")]
    Truncated,
    /// A JPEG file with separate scans, which would be decoded to wrong colours.
    #[error(
        "this kind of JPEG file is not supported: it has separate scans for its colour components; save it again, or as PNG"
    )]
    Scans,
    /// The image is larger than [`crate::preprocess::MAX_SIDE`].
    #[error("the image is {width} × {height} pixels, expected 1 to {max} a side")]
    ImageSize {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// The longest side that is supported.
        max: u32,
    },
    /// More crops than the smallest image has positions, or none.
    #[error("{found} crops were asked for, expected 1 to {max}")]
    Crops {
        /// The number of crops that was asked for.
        found: usize,
        /// The number of positions in the smallest image.
        max: usize,
    },
    /// The file is not a safetensors file, or it is damaged.
    #[error("not a safetensors file, or a truncated one: {0}")]
    Safetensors(safetensors::SafeTensorError),
    /// No tensor has a known name.
    #[error(
        "no CLIP weights: none of the {found} tensors is `visual.conv1.weight` (OpenAI, open_clip) or \
         `vision_model.embeddings.patch_embedding.weight` (Hugging Face); the first is `{first}`"
    )]
    NotClip {
        /// The number of tensors in the file.
        found: usize,
        /// The first name in alphabetical order.
        first: String,
    },
    /// The checkpoint lacks a tensor of the model.
    #[error("the checkpoint has no tensor `{0}`")]
    MissingTensor(String),
    /// The checkpoint has tensors that are not part of the model.
    #[error("the checkpoint has {} tensors that the model has no place for, the first is `{}`", .0.len(), .0[0])]
    UnusedTensors(Vec<String>),
    /// The shape of a tensor does not fit the other tensors.
    #[error("tensor `{name}` has shape {found:?}, expected {expected}")]
    Shape {
        /// The name in the file.
        name: String,
        /// The expected shape, as numbers or in words.
        expected: String,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A weight is not a floating-point tensor.
    #[error("tensor `{name}` has element type {found:?}, expected F32, F16 or BF16")]
    ElementType {
        /// The name in the file.
        name: String,
        /// The element type in the file.
        found: safetensors::Dtype,
    },
    /// A weight has an infinite value, or NaN.
    #[error(
        "tensor `{0}` has values that are not numbers or are infinite: the file is damaged, or training went wrong"
    )]
    NotFiniteWeight(String),
    /// Sizes that are not supported.
    #[error("unsupported model size: {0}")]
    Config(String),
    /// Options that contradict each other or the model.
    #[error("{0}")]
    Options(String),
    /// The device or the build does not support the precision.
    #[error("{precision}: {reason}")]
    Precision {
        /// The name of the precision on the command line.
        precision: &'static str,
        /// Why it is not supported.
        reason: &'static str,
    },
    /// `model.json` or a shard of a bundle is not valid.
    #[error("model bundle: {0}")]
    Bundle(String),
    /// The model computed a feature that is infinite or NaN.
    #[error("the model gave a score that is not a number: its weights are damaged, or the device overflowed")]
    NotFinite,
}

impl Error {
    /// What the error is about, for callers that treat errors by their cause.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Crops { .. } | Self::Options(_) | Self::Precision { .. } => ErrorKind::Argument,
            Self::Image(_) | Self::Empty | Self::Tiff(_) | Self::Truncated | Self::Scans | Self::ImageSize { .. } => {
                ErrorKind::Image
            }
            Self::Safetensors(_)
            | Self::NotClip { .. }
            | Self::MissingTensor(_)
            | Self::UnusedTensors(_)
            | Self::Shape { .. }
            | Self::ElementType { .. }
            | Self::NotFiniteWeight(_)
            | Self::Config(_)
            | Self::Bundle(_) => ErrorKind::Model,
            Self::NotFinite => ErrorKind::Device,
        }
    }
}

/// What an [`Error`] is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ErrorKind {
    /// An option or another argument of the call.
    Argument,
    /// One image. Other images can be scored.
    Image,
    /// The checkpoint or the bundle.
    Model,
    /// The device, or weights that overflow on it.
    Device,
}

// The texts of these variants contain their cause, so they have no `source`: a chain of causes would show it twice.
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

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;
