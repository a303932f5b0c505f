//! Finds EXIF, XMP and comments in JPEG, WebP, GIF and TIFF files. No pixels are decoded.
//!
//! `image` 0.25 is not used for this: its WebP reader allocates the length that a chunk header states, for example 2 GiB for
//! a file of 130 bytes.

use std::borrow::Cow;

use super::tiff::Tiff;

/// The prefix of EXIF data in JPEG files. Some programs write it into files of other formats.
pub(super) const EXIF_PREFIX: &[u8] = b"Exif\0\0";

/// The first EXIF data, XMP packet and comment of an image file.
#[derive(Default)]
pub(crate) struct FileMetadata<'a> {
    /// A TIFF structure, without the prefix `Exif\0\0`.
    pub exif: Option<&'a [u8]>,
    /// XML.
    pub xmp: Option<&'a [u8]>,
    /// Text in an unspecified encoding.
    pub comment: Option<Cow<'a, [u8]>>,
}

impl<'a> FileMetadata<'a> {
    /// Reads a file up to its end, or up to the first damaged segment.
    pub fn read(bytes: &'a [u8]) -> Self {
        let mut found = Self::default();
        // Each reader returns `None` at the end of the file.
        let _ = match bytes {
            [0xff, 0xd8, rest @ ..] => found.read_jpeg(rest),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', rest @ ..] => found.read_webp(rest),
            [b'G', b'I', b'F', ..] => found.read_gif(bytes),
            _ => found.read_tiff(bytes),
        };
        found
    }

    fn read_jpeg(&mut self, mut rest: &'a [u8]) -> Option<()> {
        loop {
            // A segment has a marker, a length that includes itself, and data. Coded pixels follow the last segment: they do
            // not start with a marker, or the bytes after it are no valid length.
            let &[0xff, marker, high, low, ..] = rest else { return None };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let data = rest.get(4..2 + length)?;
            match marker {
                0xe1 => {
                    self.exif = self.exif.or_else(|| data.strip_prefix(EXIF_PREFIX));
                    self.xmp = self.xmp.or_else(|| data.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0"));
                }
                0xfe => _ = self.comment.get_or_insert(data.into()),
                _ => {}
            }
            rest = &rest[2 + length..];
        }
    }

    fn read_webp(&mut self, mut rest: &'a [u8]) -> Option<()> {
        loop {
            let (name, size) = rest.split_first_chunk::<4>()?;
            let (size, data) = size.split_first_chunk()?;
            let size = usize::try_from(u32::from_le_bytes(*size)).ok()?;
            let chunk = data.get(..size)?;
            match name {
                b"EXIF" => self.exif = self.exif.or(Some(chunk.strip_prefix(EXIF_PREFIX).unwrap_or(chunk))),
                b"XMP " => self.xmp = self.xmp.or(Some(chunk)),
                _ => {}
            }
            rest = data.get(size + size % 2..)?; // chunks are padded to an even length
        }
    }

    fn read_gif(&mut self, bytes: &'a [u8]) -> Option<()> {
        let color_table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) };
        let mut rest = bytes.get(13 + color_table(*bytes.get(10)?)..)?;
        loop {
            let (start, label) = match *rest {
                [0x21, label, ..] => (2, Some(label)),
                [0x2c, _, _, _, _, _, _, _, _, flags, ..] => (11 + color_table(flags), None),
                _ => return None,
            };
            let data = rest.get(start..)?;
            let mut text = Vec::new();
            rest = match label {
                Some(0xfe) => gif_blocks(data, |block| text.extend_from_slice(block))?,
                _ => gif_blocks(data, |_| ())?,
            };
            match label {
                Some(0xfe) => _ = self.comment.get_or_insert(text.into()),
                Some(0xff) => self.xmp = self.xmp.or_else(|| gif_xmp(&data[..data.len() - rest.len()])),
                _ => {}
            }
        }
    }

    /// EXIF has the structure of a TIFF file, so the file itself is its EXIF data.
    fn read_tiff(&mut self, bytes: &'a [u8]) -> Option<()> {
        const XMP: usize = 700;
        let tiff = Tiff::new(bytes)?;
        self.exif = Some(bytes);
        self.xmp = tiff.value(tiff.first_directory()?, XMP);
        None
    }
}

/// Calls `each` with the blocks of GIF data, and returns what follows them. A block has up to 255 bytes, which stand after its
/// length. An empty block is the last one.
fn gif_blocks<'a>(mut data: &'a [u8], mut each: impl FnMut(&'a [u8])) -> Option<&'a [u8]> {
    loop {
        let (&length, blocks) = data.split_first()?;
        let (block, after) = blocks.split_at_checked(length.into())?;
        if length == 0 {
            return Some(after);
        }
        each(block);
        data = after;
    }
}

/// The XMP packet in the data of a GIF application extension (XMP Specification, part 3, §1.1.2).
///
/// The packet is not divided into blocks. A reader of blocks takes its bytes for lengths, and skips it: the 258 bytes after it
/// lead to the end of the extension from each of them.
fn gif_xmp(extension: &[u8]) -> Option<&[u8]> {
    let packet = extension.strip_prefix(b"\x0bXMP DataXMP")?;
    let trailer = [1].into_iter().chain((0..=255).rev()).chain([0]);
    let (packet, end) = packet.split_at_checked(packet.len().checked_sub(258)?)?;
    end.iter().copied().eq(trailer).then_some(packet)
}
