//! Finds the prompt in EXIF data.
//!
//! EXIF data is a TIFF header, a directory of fields, and a second directory that one of the fields points to
//! (CIPA DC-008 2.32, §4.6). Six fields of these two directories are read.

use super::container::EXIF_PREFIX;
use super::grammar;
use super::prompt::{EmbeddedPrompt, PromptSource};
use super::tiff::Tiff;

const IMAGE_DESCRIPTION: usize = 0x010e;
const MAKE: usize = 0x010f;
const MODEL: usize = 0x0110;
const EXIF_DIRECTORY: usize = 0x8769;
const USER_COMMENT: usize = 0x9286;
/// The comment that Windows shows, encoded as UTF-16.
const XP_COMMENT: usize = 0x9c9c;

/// The prompt in EXIF data, with or without the prefix `Exif\0\0`.
///
/// Cameras and editors write the same fields, so a text is used only if it is JSON or has WebUI's settings.
pub(super) fn prompt(exif: &[u8]) -> Option<EmbeddedPrompt> {
    let tiff = Tiff::new(exif.strip_prefix(EXIF_PREFIX).unwrap_or(exif))?;
    let first = tiff.first_directory();
    let second = tiff.subdirectory(first?, EXIF_DIRECTORY);
    use PromptSource::{ExifImageDescription, ExifMake, ExifModel, ExifUserComment, ExifXpComment};
    [
        (second, USER_COMMENT, ExifUserComment),
        // Fooocus and others write it to the first directory, against the standard.
        (first, USER_COMMENT, ExifUserComment),
        (first, IMAGE_DESCRIPTION, ExifImageDescription),
        (first, XP_COMMENT, ExifXpComment),
        (first, MAKE, ExifMake),
        (first, MODEL, ExifModel),
    ]
    .into_iter()
    .find_map(|(directory, tag, source)| {
        let value = tiff.value(directory?, tag)?;
        let text = if tag == XP_COMMENT { utf16(value) } else { decoded(value) };
        EmbeddedPrompt::new(&grammar::recognised(text.trim_matches(['\0', '\u{feff}']))?, source)
    })
}

/// Decodes text by its character code. `UNICODE` usually means UTF-16; everything else is read as UTF-8.
fn decoded(value: &[u8]) -> String {
    match value.split_first_chunk() {
        // Some programs write the code `UNICODE` and then UTF-8, which has no zero bytes.
        Some((b"UNICODE\0", text)) if text.contains(&0) => utf16(text),
        Some((b"UNICODE\0" | b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0", text)) => String::from_utf8_lossy(text).into_owned(),
        _ => String::from_utf8_lossy(value).into_owned(),
    }
}

/// Decodes UTF-16 in the byte order that gives more ASCII characters.
///
/// The byte order is not stored: piexif always writes big-endian text, other programs use the byte order of the file.
/// Settings and JSON are mostly ASCII in all languages.
fn utf16(bytes: &[u8]) -> String {
    let (pairs, _) = bytes.as_chunks::<2>();
    let n_big = pairs.iter().filter(|pair| pair[0] == 0).count();
    let n_little = pairs.iter().filter(|pair| pair[1] == 0).count();
    let unit = if n_big >= n_little { u16::from_be_bytes } else { u16::from_le_bytes };
    let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
    String::from_utf16_lossy(&units)
}

#[cfg(test)]
mod tests {
    use super::super::prompt::TEXT_LIMIT;
    use super::super::{embedded_prompt, tests::png_with};
    use super::*;

    const INFOTEXT: &str = "a cat, 猫\nNegative prompt: dog\nSteps: 20, Sampler: Euler a";
    const GRAPH: &str = r#"{"3": {"class_type": "KSampler", "inputs": {"positive": ["6", 0]}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat, 猫"}}}"#;

    /// EXIF data with one field, in the second directory if it is `UserComment`. `order` is `MM` or `II`.
    fn exif(order: &[u8; 2], tag: usize, kind: usize, value: &[u8]) -> Vec<u8> {
        let digits = |number: usize, n_bytes: usize| {
            let mut digits = (number as u64).to_be_bytes()[8 - n_bytes..].to_vec();
            if order == b"II" {
                digits.reverse();
            }
            digits
        };
        let field =
            |tag, kind, count, value| [digits(tag, 2), digits(kind, 2), digits(count, 4), digits(value, 4)].concat();
        let mut bytes = [&order[..], &digits(42, 2), &digits(8, 4)].concat();
        if tag == USER_COMMENT {
            let pointer = field(EXIF_DIRECTORY, 4, 1, 26);
            bytes.extend([digits(1, 2), pointer, digits(0, 4)].concat());
        }
        let value_at = bytes.len() + 2 + 12 + 4;
        let field = field(tag, kind, value.len(), value_at);
        bytes.extend([digits(1, 2), field, digits(0, 4)].concat());
        bytes.extend(value);
        bytes
    }

    /// The segments of a JPEG file before its pixels.
    fn jpeg(exif: &[u8]) -> Vec<u8> {
        let segment = |marker: u8, data: &[u8]| {
            let length = u16::try_from(2 + data.len()).expect("at most 64 kB");
            [&[0xff, marker], &length.to_be_bytes()[..], data].concat()
        };
        let jfif = segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
        let exif = segment(0xe1, &[b"Exif\0\0", exif].concat());
        [b"\xff\xd8", &jfif[..], &exif, b"\xff\xda"].concat()
    }

    fn webp(exif: &[u8]) -> Vec<u8> {
        let chunk = |name: &[u8], data: &[u8]| {
            let size = u32::try_from(data.len()).expect("small").to_le_bytes();
            [name, &size, data, &[0][..data.len() % 2]].concat()
        };
        let pixels = [chunk(b"VP8X", &[8; 10]), chunk(b"VP8 ", &[1; 7])].concat();
        let exif = chunk(b"EXIF", exif);
        chunk(b"RIFF", &[b"WEBP", &pixels[..], &exif].concat())
    }

    fn png(exif: &[u8]) -> Vec<u8> {
        let name = png::chunk::ChunkType(*b"eXIf");
        png_with(&|_| (), &|w| w.write_chunk(name, exif).unwrap())
    }

    fn utf16_comment(text: &str, to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let text: Vec<u8> = text.encode_utf16().flat_map(to_bytes).collect();
        [b"UNICODE\0", &text[..]].concat()
    }

    #[track_caller]
    fn assert_cat(bytes: &[u8], source: PromptSource) {
        let expected = EmbeddedPrompt::new("a cat, 猫", source);
        assert_eq!(embedded_prompt(bytes), expected);
    }

    #[test]
    fn exif_is_found_in_each_container_with_and_without_prefix() {
        let comment = utf16_comment(INFOTEXT, u16::to_be_bytes);
        for order in [b"MM", b"II"] {
            let exif = exif(order, USER_COMMENT, 7, &comment);
            let prefixed = [b"Exif\0\0", &exif[..]].concat();
            assert_cat(&jpeg(&exif), PromptSource::ExifUserComment);
            for exif in [exif, prefixed] {
                assert_cat(&webp(&exif), PromptSource::ExifUserComment);
                assert_cat(&png(&exif), PromptSource::ExifUserComment);
            }
        }
    }

    #[test]
    fn each_character_code_and_byte_order_is_decoded() {
        let marked = format!("\u{feff}{INFOTEXT}\0");
        let utf8 = INFOTEXT.as_bytes();
        for comment in [
            utf16_comment(&marked, u16::to_be_bytes),
            utf16_comment(&marked, u16::to_le_bytes),
            utf16_comment(INFOTEXT, u16::to_le_bytes),
            utf16_comment(GRAPH, u16::to_be_bytes),
            [b"UNICODE\0", utf8].concat(),
            [b"ASCII\0\0\0", utf8, b"\0"].concat(),
            [&[0; 8], utf8].concat(),
            utf8.to_vec(),
        ] {
            let exif = exif(b"MM", USER_COMMENT, 7, &comment);
            assert_cat(&jpeg(&exif), PromptSource::ExifUserComment);
        }
    }

    #[test]
    fn comfyui_and_its_savers_use_the_fields_of_the_camera() {
        let [lower, upper] = ["prompt", "Prompt"].map(|key| format!("{key}:{GRAPH}\0"));
        let infotext = format!("parameters:{INFOTEXT}\0");
        for (tag, text, source) in [
            (MODEL, lower, PromptSource::ExifModel),
            (MAKE, upper, PromptSource::ExifMake),
            (IMAGE_DESCRIPTION, infotext, PromptSource::ExifImageDescription),
        ] {
            let exif = exif(b"II", tag, 2, text.as_bytes());
            assert_cat(&webp(&exif), source);
            // A TIFF file is its own EXIF data.
            assert_cat(&exif, source);
        }
        let comment: Vec<u8> = INFOTEXT.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect();
        assert_cat(&jpeg(&exif(b"MM", XP_COMMENT, 1, &comment)), PromptSource::ExifXpComment);
    }

    #[test]
    fn a_user_comment_in_the_first_directory_is_read() {
        let mut exif = exif(b"MM", MAKE, 2, INFOTEXT.as_bytes());
        exif[10..12].copy_from_slice(b"\x92\x86");
        assert_cat(&jpeg(&exif), PromptSource::ExifUserComment);
    }

    #[test]
    fn what_cameras_and_editors_write_is_no_prompt() {
        for (tag, kind, value) in [
            (MAKE, 2, &b"Canon\0"[..]),
            (MAKE, 2, b"HP\0"),
            (MODEL, 2, b"workflow:{\"nodes\": []}\0"),
            (IMAGE_DESCRIPTION, 2, b"A cat on a mat\0"),
            (USER_COMMENT, 7, b"ASCII\0\0\0Created with GIMP"),
            (USER_COMMENT, 7, b"UNICODE\0"),
            (USER_COMMENT, 7, b""),
            (USER_COMMENT, 3, b"a cat\nSteps: 20"),
        ] {
            let bytes = jpeg(&exif(b"MM", tag, kind, value));
            assert_eq!(embedded_prompt(&bytes), None);
        }
    }

    #[test]
    fn text_beyond_the_limit_is_left_alone() {
        for (n_bytes, is_read) in [(TEXT_LIMIT, true), (TEXT_LIMIT + 1, false)] {
            let mut comment = INFOTEXT.as_bytes().to_vec();
            comment.resize(n_bytes, b' ');
            let bytes = webp(&exif(b"II", USER_COMMENT, 7, &comment));
            assert_eq!(embedded_prompt(&bytes).is_some(), is_read);
        }
    }

    #[test]
    fn truncated_and_damaged_files_never_panic() {
        let comment = utf16_comment(INFOTEXT, u16::to_be_bytes);
        let exif = exif(b"II", USER_COMMENT, 7, &comment);
        for bytes in [jpeg(&exif), webp(&exif), png(&exif)] {
            for at in 0..bytes.len() {
                embedded_prompt(&bytes[..at]);
                for fill in [0, 1, 0x7f, 0x80, 0xff] {
                    let mut damaged = bytes.clone();
                    damaged[at] = fill;
                    embedded_prompt(&damaged);
                    damaged[at..bytes.len().min(at + 4)].fill(fill);
                    embedded_prompt(&damaged);
                }
            }
        }
    }
}
