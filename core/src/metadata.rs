//! Finds the prompt that an image generator stored in an image file.
//!
//! There is no standard for this. Each generator has its own key and its own format:
//!
//! | place | written by |
//! | --- | --- |
//! | PNG text `parameters` | Stable Diffusion WebUI, Forge, SD.Next; as JSON by SwarmUI and Fooocus |
//! | PNG text `prompt` | ComfyUI, as a graph of nodes; Easy Diffusion, as plain text |
//! | PNG text `invokeai_metadata`, `sd-metadata`, `Dream` | InvokeAI, the newest version first |
//! | PNG text `Comment`, `Description` | NovelAI |
//! | EXIF of JPEG, WebP, PNG and TIFF | the generators of the first two rows, in formats without text chunks |
//! | XMP of the same formats and of GIF | Draw Things, Midjourney |
//! | comment of JPEG and GIF | WebUI |
//! | lowest bits of a PNG's alpha channel | NovelAI, and WebUI with an extension; not read in browsers |
//!
//! The bytes are untrusted. No input causes a panic, and memory use is at most a few times the input plus 110 times the
//! longest text that is read (8 MiB). serde_json 1.0.154 needs that much for many JSON objects with one key, which was
//! measured by counting allocations. Pixels are decoded only for the last row of the table.

mod comfyui;
pub(crate) mod container;
mod exif;
mod grammar;
mod prompt;
// Browsers do not read it: it would enlarge the module that they download.
#[cfg(not(target_arch = "wasm32"))]
mod stealth;
pub(crate) mod tiff;
mod xmp;

use std::borrow::Cow;

use png::Info;

use container::FileMetadata;
pub use grammar::parse_json;
use prompt::TEXT_LIMIT;
pub use prompt::{EmbeddedPrompt, PromptSource};

/// Finds the positive prompt in the bytes of an image file.
///
/// Returns `None` if the file has no prompt, or a blank one.
///
/// # Examples
///
/// ```
/// use tsp_mgs_core::metadata::{PromptSource, embedded_prompt};
///
/// // A JPEG file with a comment, as WebUI writes it.
/// let comment = b"a cat\nSteps: 20, Sampler: Euler a";
/// let length = (comment.len() as u16 + 2).to_be_bytes();
/// let file = [b"\xff\xd8\xff\xfe", &length[..], comment, b"\xff\xd9"].concat();
/// let prompt = embedded_prompt(&file).expect("a prompt");
/// assert_eq!((prompt.text.as_str(), prompt.source), ("a cat", PromptSource::Comment));
/// ```
pub fn embedded_prompt(bytes: &[u8]) -> Option<EmbeddedPrompt> {
    let prompt = png_prompt(bytes).or_else(|| {
        let FileMetadata { exif, xmp, comment } = FileMetadata::read(bytes);
        let comment = comment.filter(|text| text.len() <= TEXT_LIMIT);
        let xmp = xmp.filter(|text| text.len() <= TEXT_LIMIT);
        let comment = || EmbeddedPrompt::new(&grammar::recognised(&utf8_or_latin1(&comment?))?, PromptSource::Comment);
        exif.and_then(exif::prompt).or_else(|| xmp.and_then(xmp::prompt)).or_else(comment)
    });
    #[cfg(not(target_arch = "wasm32"))]
    let prompt = prompt.or_else(|| stealth::prompt(bytes));
    prompt
}

fn png_prompt(bytes: &[u8]) -> Option<EmbeddedPrompt> {
    // `png::Decoder` returns an error at its limits and keeps nothing of a truncated file. The streaming decoder skips pixel
    // data and keeps only the chunks. iCCP is the only chunk that it decompresses, so iCCP is ignored.
    let mut decoder = png::StreamingDecoder::new();
    decoder.set_ignore_iccp_chunk(true);
    let mut rest = bytes;
    while !rest.is_empty()
        && let Ok((consumed, _)) = decoder.update(rest, None)
    {
        rest = &rest[consumed..];
    }
    let info = decoder.info()?;

    // WebUI's text comes first. Some nodes of ComfyUI that save images write the encoded prompt there, which is more
    // reliable than a search through their graph.
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
            // Other software uses these two keys, too. The comment of early images has no prompt.
            text("Software").filter(|software| software == "NovelAI")?;
            let comment = found(read("Comment", grammar::json), NovelAi);
            comment.or_else(|| found(text("Description"), NovelAi))
        })
        .or_else(|| exif::prompt(info.exif_metadata.as_deref()?))
        .or_else(|| xmp::prompt(text("XML:com.adobe.xmp")?.as_bytes()))
}

/// The first text with this key. Later ones are not decompressed, since a file can contain thousands.
fn png_text(info: &Info, key: &str) -> Option<String> {
    let chunk = &mut info.uncompressed_latin1_text.iter();
    let text = chunk.find(|chunk| chunk.keyword == key);
    let text = text.map(|chunk| chunk.text.clone()).or_else(|| {
        let chunk = &mut info.compressed_latin1_text.iter();
        let mut chunk = chunk.find(|chunk| chunk.keyword == key)?.clone();
        chunk.decompress_text_with_limit(TEXT_LIMIT).ok()?;
        chunk.get_text().ok()
    });
    // The standard requires Latin-1, but many programs write UTF-8.
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
    // A Latin-1 character takes up to two bytes in a `String`.
    text.filter(|text| text.len() <= 2 * TEXT_LIMIT)
}

/// Decodes bytes as UTF-8 if they are valid UTF-8, else as Latin-1.
fn utf8_or_latin1(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().copied().map(char::from).collect(), Cow::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use png::text_metadata::{ITXtChunk, TEXtChunk, ZTXtChunk};

    type Write<'a> = &'a dyn Fn(&mut png::Writer<&mut Vec<u8>>);

    /// A PNG file of one pixel, with chunks before and after it.
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
        // The bytes of the UTF-8 text, each as a Latin-1 character.
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
            // A colour table of two entries, an image with a table of four entries, and the comment.
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
        let mut state = 1_u32; // the linear congruential generator of Numerical Recipes
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
