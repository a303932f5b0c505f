//! The prompt that an image generator left in the bytes of its image: what the picture is
//! compared with when nobody types a prompt.
//!
//! There is no standard; each generator has its own key and its own grammar:
//!
//! | where | written by |
//! | --- | --- |
//! | PNG text `parameters` | Stable Diffusion WebUI, Forge, SD.Next; as JSON SwarmUI, Fooocus |
//! | PNG text `prompt` | ComfyUI: the graph of nodes that made the image; as plain text Easy Diffusion |
//! | PNG text `invokeai_metadata`, `sd-metadata`, `Dream` | InvokeAI, newest first |
//! | PNG text `Comment`, `Description` | NovelAI |
//! | EXIF of JPEG, WebP, PNG and TIFF | the first two, where the format has no text chunks |
//! | XMP of the same | Draw Things, Midjourney |
//! | comment of JPEG and GIF | WebUI |
//! | lowest bits of a PNG's alpha | NovelAI, and WebUI with an extension; not read in browsers |
//!
//! The bytes are a stranger's: no input panics, and memory stays within a few times the input and
//! sixteen times `TEXT_LIMIT`. Pixels are decoded for the last row alone.

mod comfyui;
pub(crate) mod container;
mod exif;
mod grammar;
// Left out of the browser's download, for its size.
#[cfg(not(target_arch = "wasm32"))]
mod stealth;
mod xmp;

use std::borrow::Cow;

use png::Info;

use container::Parts;
pub(crate) use exif::tiff_number;
pub use grammar::parse_json;

/// A prompt as its generator stored it, neither empty nor padded; weights and LoRA tags remain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedPrompt {
    /// The text.
    pub text: String,
    /// Where it stood.
    pub source: PromptSource,
}

/// The place in the file that held the prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptSource {
    /// PNG text `parameters`.
    WebUiParameters,
    /// PNG text `prompt` that is a graph of nodes or other JSON.
    ComfyUi,
    /// PNG text `prompt` that is no graph.
    PngPrompt,
    /// PNG text `invokeai_metadata`, `sd-metadata` or `Dream`.
    InvokeAi,
    /// PNG text `Comment` or `Description`, beside `Software: NovelAI`.
    NovelAi,
    /// EXIF tag 0x9286, where WebUI and most others write.
    ExifUserComment,
    /// EXIF tag 0x010e.
    ExifImageDescription,
    /// EXIF tag 0x010f.
    ExifMake,
    /// EXIF tag 0x0110, where ComfyUI itself writes.
    ExifModel,
    /// EXIF tag 0x9c9c.
    ExifXpComment,
    /// XMP: `exif:UserComment` or `dc:description`.
    Xmp,
    /// Comment of a JPEG or GIF file.
    Comment,
    /// Lowest bits of the alpha channel.
    Stealth,
}

impl PromptSource {
    /// The stable name that results give.
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

/// Finds the positive prompt in the bytes of an image file.
///
/// `None` when there is none, or when it is blank.
pub fn embedded_prompt(bytes: &[u8]) -> Option<EmbeddedPrompt> {
    let prompt = png_prompt(bytes).or_else(|| {
        let Parts { exif, xmp, comment } = Parts::of(bytes);
        let comment = || EmbeddedPrompt::new(&grammar::marked(&utf8_or_latin1(&comment?))?, PromptSource::Comment);
        exif.and_then(exif::prompt).or_else(|| xmp.and_then(xmp::prompt)).or_else(comment)
    });
    #[cfg(not(target_arch = "wasm32"))]
    let prompt = prompt.or_else(|| stealth::prompt(bytes));
    prompt
}

/// Longest text that is read, in bytes and after decompression: a zTXt chunk can grow a
/// thousandfold. A node of a ComfyUI graph takes some 200 bytes, and may hold an image.
const TEXT_LIMIT: usize = 8 << 20;

impl EmbeddedPrompt {
    fn new(text: &str, source: PromptSource) -> Option<Self> {
        let text = text.trim().to_owned();
        (!text.is_empty()).then_some(Self { text, source })
    }
}

fn png_prompt(bytes: &[u8]) -> Option<EmbeddedPrompt> {
    // `png::Decoder` would stop at its limits and keep nothing of a truncated file. The streaming
    // decoder drops pixel data unread and holds no more than the chunks, once iCCP, the only
    // chunk that it decompresses, is off.
    let mut decoder = png::StreamingDecoder::new();
    decoder.set_ignore_iccp_chunk(true);
    let mut rest = bytes;
    while !rest.is_empty()
        && let Ok((consumed, _)) = decoder.update(rest, None)
    {
        rest = &rest[consumed..];
    }
    let info = decoder.info()?;

    // WebUI's text comes first: ComfyUI savers that add it write there what they encoded, which
    // is surer than our walk through their graph.
    use PromptSource::{ComfyUi, InvokeAi, NovelAi, PngPrompt, WebUiParameters};
    let text = |key| png_text(info, key);
    let found = |prompt: Option<String>, source| EmbeddedPrompt::new(&prompt?, source);
    let read = |key, grammar: fn(&str) -> Option<String>| text(key).and_then(|t| grammar(&t));
    found(read("parameters", grammar::parameters), WebUiParameters)
        .or_else(|| found(read("prompt", grammar::json), ComfyUi))
        .or_else(|| found(read("prompt", grammar::plain), PngPrompt))
        .or_else(|| found(read("invokeai_metadata", grammar::invokeai), InvokeAi))
        .or_else(|| found(read("sd-metadata", grammar::sd_metadata), InvokeAi))
        .or_else(|| found(read("Dream", grammar::dream), InvokeAi))
        .or_else(|| {
            // Other software uses these two keys too. Early images lack the first one's prompt.
            text("Software").filter(|software| software == "NovelAI")?;
            let comment = found(read("Comment", grammar::json), NovelAi);
            comment.or_else(|| found(text("Description"), NovelAi))
        })
        .or_else(|| exif::prompt(info.exif_metadata.as_deref()?))
        .or_else(|| xmp::prompt(text("XML:com.adobe.xmp")?.as_bytes()))
}

/// The first text under `key`; the later ones stay compressed, as a file can hold thousands.
fn png_text(info: &Info, key: &str) -> Option<String> {
    let chunk = &mut info.uncompressed_latin1_text.iter();
    let text = chunk.find(|chunk| chunk.keyword == key);
    let text = text.map(|chunk| chunk.text.clone()).or_else(|| {
        let chunk = &mut info.compressed_latin1_text.iter();
        let mut chunk = chunk.find(|chunk| chunk.keyword == key)?.clone();
        chunk.decompress_text_with_limit(TEXT_LIMIT).ok()?;
        chunk.get_text().ok()
    });
    // The standard says Latin-1, and many writers put UTF-8 there.
    let text = text.map(|text| {
        let bytes: Vec<u8> = text.chars().map(|c| c as u8).collect();
        String::from_utf8(bytes).unwrap_or(text)
    });
    let text = text.or_else(|| {
        let chunk = &mut info.utf8_text.iter();
        let mut chunk = chunk.find(|chunk| chunk.keyword == key)?.clone();
        chunk.decompress_text_with_limit(TEXT_LIMIT).ok()?;
        chunk.get_text().ok()
    });
    // Latin-1 takes up to two bytes per character in a `String`.
    text.filter(|text| text.len() <= 2 * TEXT_LIMIT)
}

/// Bytes that may be either: what is valid UTF-8 was hardly meant as Latin-1.
fn utf8_or_latin1(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), Cow::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::text_metadata::{ITXtChunk, TEXtChunk, ZTXtChunk};

    type Write<'a> = &'a dyn Fn(&mut png::Writer<&mut Vec<u8>>);

    /// A PNG of one pixel, with chunks before and after it.
    pub(super) fn png_with(before: Write, after: Write) -> Vec<u8> {
        let mut bytes = Vec::new();
        let writer = png::Encoder::new(&mut bytes, 1, 1).write_header();
        let mut writer = writer.expect("a header");
        before(&mut writer);
        writer.write_image_data(&[0]).expect("one grey pixel");
        after(&mut writer);
        writer.finish().expect("an end");
        bytes
    }

    pub(super) fn png_of(texts: &[(&str, &str)]) -> Vec<u8> {
        let write: Write = &|writer| {
            for (key, text) in texts {
                let chunk = ITXtChunk::new(*key, *text);
                writer.write_text_chunk(&chunk).expect("iTXt");
            }
        };
        png_with(write, &|_| ())
    }

    #[track_caller]
    fn assert_cat(texts: &[(&str, &str)], source: PromptSource) {
        let expected = EmbeddedPrompt::new("a cat", source);
        assert_eq!(embedded_prompt(&png_of(texts)), expected);
    }

    #[test]
    fn each_kind_of_png_text_is_read_before_and_after_the_pixels() {
        let (key, text) = ("parameters", "a café\nSteps: 9");
        let mut compressed = ITXtChunk::new(key, text);
        compressed.compressed = true;
        let writes: [Write; 4] = [
            &|w| w.write_text_chunk(&TEXtChunk::new(key, text)).unwrap(),
            &|w| w.write_text_chunk(&ZTXtChunk::new(key, text)).unwrap(),
            &|w| w.write_text_chunk(&ITXtChunk::new(key, text)).unwrap(),
            &|w| w.write_text_chunk(&compressed).unwrap(),
        ];
        let expected = EmbeddedPrompt::new("a café", PromptSource::WebUiParameters);
        for write in writes {
            assert_eq!(embedded_prompt(&png_with(write, &|_| ())), expected);
            assert_eq!(embedded_prompt(&png_with(&|_| (), write)), expected);
        }
    }

    #[test]
    fn each_key_has_its_grammar() {
        let graph = r#"{"3": {"class_type": "KSampler", "inputs": {"positive": ["6", 0]}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}}}"#;
        let sd_metadata = r#"{"image": {"prompt": "a cat"}}"#;
        assert_cat(&[("prompt", graph)], PromptSource::ComfyUi);
        assert_cat(&[("sd-metadata", sd_metadata)], PromptSource::InvokeAi);
        assert_cat(&[("Dream", r#""a cat" -s 50"#)], PromptSource::InvokeAi);
        let invokeai = ("invokeai_metadata", r#"{"positive_prompt": "a cat"}"#);
        assert_cat(&[invokeai], PromptSource::InvokeAi);
        assert_cat(&[("prompt", "a cat"), ("negative_prompt", "a dog")], PromptSource::PngPrompt);
    }

    #[test]
    fn utf8_in_latin1_chunks_is_read_as_utf8() {
        // The bytes of the UTF-8 text, which the writer of the chunk takes for Latin-1.
        let bytes: String = "猫, a café\nSteps: 9".bytes().map(char::from).collect();
        let writes: [Write; 2] =
            [&|w| w.write_text_chunk(&TEXtChunk::new("parameters", bytes.clone())).unwrap(), &|w| {
                w.write_text_chunk(&ZTXtChunk::new("parameters", bytes.clone())).unwrap();
            }];
        for write in writes {
            let expected = EmbeddedPrompt::new("猫, a café", PromptSource::WebUiParameters);
            assert_eq!(embedded_prompt(&png_with(write, &|_| ())), expected);
        }
    }

    #[test]
    fn comments_with_settings_are_prompts_and_others_are_not() {
        let comments = |text: &[u8]| {
            let length = u16::try_from(2 + text.len()).expect("short").to_be_bytes();
            let jpeg = [b"\xff\xd8\xff\xfe", &length[..], text, b"\xff\xda"].concat();
            let blocks: Vec<u8> = text.chunks(7).flat_map(|block| [&[block.len() as u8], block].concat()).collect();
            // A colour table of two, an image with one of four, and the comment.
            let gif = [b"GIF89a\x01\0\x01\0\x80\0\0", &[0; 6][..], b"\x2c\0\0\0\0\x01\0\x01\0\x81", &[0; 12]].concat();
            let gif = [&gif[..], b"\x02\x02\x44\x01\0\x21\xfe", &blocks, b"\0;"].concat();
            [jpeg, gif]
        };
        let utf8 = comments("a café\nSteps: 20, Sampler: Euler a".as_bytes());
        let latin1 = comments(b"a caf\xe9\nSteps: 20, Sampler: Euler a");
        for image in utf8.into_iter().chain(latin1) {
            assert_eq!(embedded_prompt(&image), EmbeddedPrompt::new("a café", PromptSource::Comment));
            for at in 0..image.len() {
                embedded_prompt(&image[..at]);
            }
        }
        for image in comments(b"CREATOR: gd-jpeg v1.0") {
            assert_eq!(embedded_prompt(&image), None);
        }
    }

    #[test]
    fn graphs_may_hold_images_of_several_megabytes() {
        let image = "A".repeat(3 << 20);
        let graph = serde_json::json!({
            "3": {"class_type": "KSampler", "inputs": {"positive": ["6", 0]}},
            "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat"}},
            "9": {"class_type": "LoadImageFromBase64", "inputs": {"image": image}}});
        assert_cat(&[("prompt", &graph.to_string())], PromptSource::ComfyUi);
    }

    #[test]
    fn novelai_is_read_only_from_its_own_files() {
        let software = ("Software", "NovelAI");
        let description = ("Description", "a cat");
        let early = ("Comment", r#"{"steps": 28}"#);
        let later = ("Comment", r#"{"prompt": "a cat"}"#);
        assert_cat(&[software, description, early], PromptSource::NovelAi);
        assert_cat(&[software, later], PromptSource::NovelAi);
        let other = png_of(&[("Software", "GIMP"), description, later]);
        assert_eq!(embedded_prompt(&other), None);
    }

    #[test]
    fn a_blank_or_missing_prompt_gives_way_to_the_next_key_or_to_none() {
        for text in ["", " \n", "Negative prompt: dog\nSteps: 2", "{\"seed\": 1}"] {
            let blank = ("parameters", text);
            assert_cat(&[("Dream", "\"a cat\""), blank], PromptSource::InvokeAi);
            assert_eq!(embedded_prompt(&png_of(&[blank])), None);
        }
        assert_eq!(embedded_prompt(&png_of(&[("workflow", "{}")])), None);
    }

    #[test]
    fn text_beyond_the_limit_is_left_alone() {
        for (n_bytes, is_read) in [(TEXT_LIMIT, true), (TEXT_LIMIT + 1, false)] {
            let bomb = ZTXtChunk::new("parameters", "a".repeat(n_bytes));
            let bytes = png_with(&|w| w.write_text_chunk(&bomb).unwrap(), &|_| ());
            assert!(bytes.len() < TEXT_LIMIT / 100);
            assert_eq!(embedded_prompt(&bytes).is_some(), is_read);
        }
        let long = "a".repeat(2 * TEXT_LIMIT + 1);
        assert_eq!(embedded_prompt(&png_of(&[("parameters", &long)])), None);
    }

    #[test]
    fn truncated_damaged_and_random_bytes_never_panic() {
        let png = png_of(&[("parameters", "a cat\nSteps: 20"), ("prompt", "{}")]);
        for at in 0..png.len() {
            embedded_prompt(&png[..at]);
            for byte in [0, 1, 0x7f, 0x80, 0xff] {
                let mut damaged = png.clone();
                damaged[at] = byte;
                embedded_prompt(&damaged);
            }
        }
        let mut state = 1_u32; // the generator of Numerical Recipes
        for n_bytes in 0..1000 {
            let mut noise = png[..8].to_vec();
            noise.resize_with(8 + n_bytes, || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            });
            assert_eq!(embedded_prompt(&noise), None);
            assert_eq!(embedded_prompt(&noise[8..]), None);
        }
    }
}
