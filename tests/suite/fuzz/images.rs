//! Image files: their pixels and their metadata.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use arbtest::arbitrary::{Result, Unstructured};
use tsp_mgs_core::metadata::embedded_prompt;
use tsp_mgs_core::preprocess::{ViewPlan, decode, views};
use tsp_mgs_core::tokenizer::Tokenizer;

use super::containers::{correct_checksums, exif, gif, jpeg, png, png_texts, webp};
use super::mutate::{mutate, mutated_text};
use super::target::Input;
use super::texts::{KEYS, TEXTS, WORDS, XMP};
use crate::support::fixtures::{fixture, read};
use crate::support::image_bytes::{self, Scans, jpeg_with_a_scan_of_two, lab_tiff, tiff};

/// Larger files take longer to decode and reach no other code.
const MAX_CORPUS_BYTES: u64 = 8 << 10;
/// Views of larger images than this take too long for many inputs. No code depends on it.
const MAX_CUT_SIDE: u32 = 1024;
/// Markers, chunks and tags of the formats.
const MARKERS: [&[u8]; 16] = [
    b"\xff\xd8",
    b"\xff\xda",
    b"\xff\xc0\x00\x11\x08",
    b"\xff\xc2\x00\x11\x08",
    b"\xff\xdd\x00\x04\x00\x01",
    b"\xff\xe1\x00\x10Exif\0\0",
    b"\xff\xfe\x00\x08",
    b"\xff\xd9",
    b"IHDR",
    b"IDAT",
    b"acTL",
    b"VP8X\x0a\0\0\0",
    b"EXIF\xff\xff\xff\x7f",
    b"\x2c\0\0\0\0\xff\xff\xff\xff",
    b"II*\0\x08\0\0\0",
    b"\x52\x01\x03\0\x01\0\0\0",
];

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(Tokenizer::new);

/// Small image files of all formats and kinds.
pub fn files() -> Vec<Vec<u8>> {
    let entries = fs::read_dir(fixture("images")).expect("a folder").map(|entry| entry.expect("an entry"));
    let is_small = |entry: &fs::DirEntry| entry.metadata().expect("a size").len() <= MAX_CORPUS_BYTES;
    let mut paths: Vec<_> = entries.filter(is_small).map(|entry| entry.path()).collect();
    paths.sort(); // inputs are the same on all file systems
    let made = [
        image_bytes::jpeg(40, 24, (2, 1), Scans::Together),
        image_bytes::jpeg(40, 24, (2, 2), Scans::Apart),
        jpeg_with_a_scan_of_two(),
        tiff(&[[200, 10, 30, 128]; 6], 3, 2, 1),
        lab_tiff(),
    ];
    paths.iter().map(|path| read(path)).chain(made).collect()
}

/// One of `files`, changed. Most changes of a PNG file keep its checksums right.
pub fn changed_file(u: &mut Unstructured, files: &[Vec<u8>]) -> Result<Input> {
    let mut bytes = u.choose(files)?.clone();
    mutate(u, &mut bytes, &MARKERS)?;
    if u.ratio(7, 8)? && bytes.starts_with(b"\x89PNG") {
        correct_checksums(&mut bytes);
    }
    Ok(Input { ending: "image", bytes })
}

/// Decodes an image and cuts its views.
pub fn decode_and_cut(bytes: &[u8]) {
    let Ok(image) = decode(bytes) else { return };
    if image.width().max(image.height()) <= MAX_CUT_SIDE {
        let plan = ViewPlan { side: 32, has_image: true, crops: 1 };
        views(&image, plan).expect("a decoded image has views");
    }
}

/// Files with metadata, but little else.
pub fn files_with_metadata() -> Vec<Vec<u8>> {
    let graph = TEXTS[0].as_bytes();
    let exif_data = exif(graph, XMP.as_bytes());
    let texts = KEYS.iter().zip(TEXTS).flat_map(|(key, text)| png_texts(key, text));
    let mut files: Vec<Vec<u8>> = texts.map(|chunk| png(&[chunk])).collect();
    files.extend([
        png(&[(b"eXIf", exif_data.clone())]),
        jpeg(&exif_data, XMP.as_bytes(), graph),
        webp(&exif_data, XMP.as_bytes()),
        gif(b"", graph),
        gif(XMP.as_bytes(), b""),
        exif_data,
    ]);
    files
}

/// A changed text in a file that is whole, so that the text is read.
pub fn file_with_changed_text(u: &mut Unstructured) -> Result<Input> {
    let text = if u.ratio(1, 8)? { XMP } else { u.choose(&TEXTS)? };
    let text = mutated_text(u, text, &WORDS)?;
    let key = u.choose(&KEYS)?;
    let bytes = match u.int_in_range(0..=8)? {
        0 => jpeg(&exif(text.as_bytes(), b""), b"", b""),
        1 => webp(b"", text.as_bytes()),
        2 => gif(b"", text.as_bytes()),
        5 => gif(text.as_bytes(), b""),
        3 => exif(b"", text.as_bytes()),
        // NovelAI's keys are read only beside this one.
        4 => png(&[png_texts("Software", "NovelAI")[0].clone(), u.choose(&png_texts(key, &text))?.clone()]),
        _ => png(&[u.choose(&png_texts(key, &text))?.clone()]),
    };
    Ok(Input { ending: "image", bytes })
}

/// Finds the prompt of an image and tokenizes it.
pub fn find_prompt(_: &Path, bytes: &[u8]) {
    if let Some(prompt) = embedded_prompt(bytes) {
        assert!(!prompt.text.trim().is_empty(), "a blank prompt counts as none");
        let tokens = TOKENIZER.encode(&prompt.text, 77);
        assert!(tokens.ids.len() <= 77);
        assert!(tokens.spans.iter().all(|span| prompt.text.get(span.clone()).is_some()), "{tokens:?}");
    }
}
