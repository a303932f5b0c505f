//! Small image files with metadata.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::support::fixtures::{fixture, read};

/// The bytes of a PNG file before its first chunk.
const SIGNATURE: usize = 8;
/// The bytes of a PNG file up to the end of the chunk IHDR.
const HEADER: usize = 33;
/// EXIF's field for comments of users.
const USER_COMMENT: u16 = 0x9286;
/// TIFF's field for XMP.
const XMP_FIELD: u16 = 700;

/// A PNG file of one pixel with these chunks before its pixels.
pub fn png(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let pixel = read(&fixture("images/pixel_1x1.png"));
    let mut file = pixel[..HEADER].to_vec();
    for (name, data) in chunks {
        let length = u32::try_from(data.len()).expect("short").to_be_bytes();
        let named = [&name[..], data].concat();
        file.extend([&length[..], &named, &crc(&named)].concat());
    }
    file.extend(&pixel[HEADER..]);
    file
}

/// Corrects the checksums of all chunks. A decoder drops chunks with wrong ones.
pub fn correct_checksums(png: &mut [u8]) {
    let mut at = SIGNATURE;
    while let Some(length) = png.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let length = u32::from_be_bytes(*length) as usize;
        let Some(end) = at.checked_add(8 + length).filter(|end| end + 4 <= png.len()) else { return };
        let sum = crc(&png[at + 4..end]);
        png[end..end + 4].copy_from_slice(&sum);
        at = end + 4;
    }
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

/// The three kinds of text chunks of a PNG file.
pub fn png_texts(key: &str, text: &str) -> [(&'static [u8; 4], Vec<u8>); 3] {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(text.as_bytes()).expect("a vector takes all");
    let compressed = zlib.finish().expect("a vector takes all");
    [
        (b"tEXt", [key.as_bytes(), b"\0", text.as_bytes()].concat()),
        (b"zTXt", [key.as_bytes(), b"\0\0", &compressed[..]].concat()),
        (b"iTXt", [key.as_bytes(), b"\0\0\0\0\0", text.as_bytes()].concat()),
    ]
}

/// EXIF data, or a TIFF file without pixels, with a comment and an XMP packet.
pub fn exif(comment: &[u8], xmp: &[u8]) -> Vec<u8> {
    let values = [(XMP_FIELD, xmp), (USER_COMMENT, comment)];
    let mut at = 8 + 2 + 12 * values.len() as u32 + 4;
    let mut file = [&b"II*\0\x08\0\0\0"[..], &(values.len() as u16).to_le_bytes()].concat();
    for (tag, value) in values {
        let length = value.len() as u32;
        file.extend([&tag.to_le_bytes()[..], &[7, 0], &length.to_le_bytes(), &at.to_le_bytes()].concat());
        at += length;
    }
    file.extend([&[0; 4][..], xmp, comment].concat());
    file
}

/// A grey JPEG file with EXIF data, an XMP packet and a comment. Each is cut to what a segment can hold.
pub fn jpeg(exif: &[u8], xmp: &[u8], comment: &[u8]) -> Vec<u8> {
    let grey = read(&fixture("images/grey.jpg"));
    let mut file = grey[..2].to_vec();
    for (marker, prefix, data) in
        [(0xe1, &b"Exif\0\0"[..], exif), (0xe1, b"http://ns.adobe.com/xap/1.0/\0", xmp), (0xfe, b"", comment)]
    {
        let data = &data[..data.len().min(60_000)];
        let length = (2 + prefix.len() + data.len()) as u16;
        file.extend([&[0xff, marker], &length.to_be_bytes()[..], prefix, data].concat());
    }
    file.extend(&grey[2..]);
    file
}

/// A WebP file with EXIF data and an XMP packet.
pub fn webp(exif: &[u8], xmp: &[u8]) -> Vec<u8> {
    let mut file = read(&fixture("images/lossless.webp"));
    for (name, data) in [(b"EXIF", exif), (b"XMP ", xmp)] {
        file.resize(file.len().next_multiple_of(2), 0);
        file.extend([&name[..], &(data.len() as u32).to_le_bytes(), data].concat());
    }
    file
}

/// A GIF file without pixels, with an XMP packet and a comment.
pub fn gif(xmp: &[u8], comment: &[u8]) -> Vec<u8> {
    let trailer = [1].into_iter().chain((0..=255).rev()).chain([0]).collect();
    let blocks = comment.chunks(255).flat_map(|block| [&[block.len() as u8], block].concat());
    let head = b"GIF89a\x01\0\x01\0\0\0\0\x21\xff\x0bXMP DataXMP";
    [head.to_vec(), xmp.to_vec(), trailer, b"\x21\xfe".to_vec(), blocks.collect(), b"\0;".to_vec()].concat()
}
