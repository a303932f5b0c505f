//! A prompt that was found in an image file, and the place where it was found.

/// The longest text that is read, in bytes after decompression. Compressed PNG text can expand a thousandfold. A node of a
/// ComfyUI graph takes about 200 bytes, and some nodes contain an image.
pub(super) const TEXT_LIMIT: usize = 8 << 20;

/// A prompt as its generator stored it, trimmed and not empty. Weights and LoRA tags are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedPrompt {
    /// The text of the prompt.
    pub text: String,
    /// The place in the file where it was found.
    pub source: PromptSource,
}

impl EmbeddedPrompt {
    /// Trims `text`. Returns `None` if nothing is left.
    pub(super) fn new(text: &str, source: PromptSource) -> Option<Self> {
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(Self { text, source })
    }
}

/// A place in an image file that can hold a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptSource {
    /// PNG text `parameters`.
    WebUiParameters,
    /// PNG text `prompt` with a graph of nodes or other JSON.
    ComfyUi,
    /// PNG text `prompt` with plain text.
    PngPrompt,
    /// PNG text `invokeai_metadata`, `sd-metadata` or `Dream`.
    InvokeAi,
    /// PNG text `Comment` or `Description` of a file with the PNG text `Software: NovelAI`.
    NovelAi,
    /// EXIF tag 0x9286, which WebUI and most other programs use.
    ExifUserComment,
    /// EXIF tag 0x010e.
    ExifImageDescription,
    /// EXIF tag 0x010f.
    ExifMake,
    /// EXIF tag 0x0110, which ComfyUI uses.
    ExifModel,
    /// EXIF tag 0x9c9c.
    ExifXpComment,
    /// XMP `exif:UserComment` or `dc:description`.
    Xmp,
    /// The comment of a JPEG or GIF file.
    Comment,
    /// The lowest bits of the alpha channel.
    Stealth,
}

impl PromptSource {
    /// The name that results show. It does not change between versions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WebUiParameters => "parameters",
            Self::ComfyUi => "comfyui",
            Self::PngPrompt => "prompt",
            Self::InvokeAi => "invokeai",
            Self::NovelAi => "novelai",
            Self::ExifUserComment => "exif_user_comment",
            Self::ExifImageDescription => "exif_image_description",
            Self::ExifMake => "exif_make",
            Self::ExifModel => "exif_model",
            Self::ExifXpComment => "exif_xp_comment",
            Self::Xmp => "xmp",
            Self::Comment => "comment",
            Self::Stealth => "stealth",
        }
    }
}
