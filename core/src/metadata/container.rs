//! The metadata of JPEG, WebP, GIF and TIFF files: where EXIF, XMP and comments stand, without decoding a pixel.
//!
//! Not through `image` 0.25, whose WebP reader allocates whatever length a chunk claims: 2 GiB for a file of 130 bytes.

use std::borrow::Cow;

use super::exif::{PREFIX, Tiff};

/// What a file holds beside its pixels; the first of each kind.
#[derive(Default)]
pub(crate) struct Parts<'a> {
    /// A TIFF structure, without the `Exif\0\0` that some writers put before it.
    pub exif: Option<&'a [u8]>,
    /// An XML text.
    pub xmp: Option<&'a [u8]>,
    /// A text of any kind.
    pub comment: Option<Cow<'a, [u8]>>,
}

impl<'a> Parts<'a> {
    /// The parts of a file up to its end, or to where it is damaged.
    pub fn of(bytes: &'a [u8]) -> Self {
        let mut parts = Self::default();
        // Each reader returns `None` where the file ends.
        let _ = match bytes {
            [0xff, 0xd8, rest @ ..] => parts.read_jpeg(rest),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', rest @ ..] => parts.read_webp(rest),
            [b'G', b'I', b'F', ..] => parts.read_gif(bytes),
            _ => parts.read_tiff(bytes),
        };
        parts
    }

    fn read_jpeg(&mut self, mut rest: &'a [u8]) -> Option<()> {
        loop {
            // A segment is its marker, then its length, which counts itself, then its data. The
            // pixels after the last one start with another byte, or end in a wrong length.
            let &[0xff, marker, high, low, ..] = rest else { return None };
            let length = usize::from(u16::from_be_bytes([high, low]));
            let data = rest.get(4..2 + length)?;
            match marker {
                0xe1 => {
                    self.exif = self.exif.or_else(|| data.strip_prefix(PREFIX));
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
                b"EXIF" => self.exif = self.exif.or(Some(chunk.strip_prefix(PREFIX).unwrap_or(chunk))),
                b"XMP " => self.xmp = self.xmp.or(Some(chunk)),
                _ => {}
            }
            rest = data.get(size + size % 2..)?; // chunks start at even bytes
        }
    }

    fn read_gif(&mut self, bytes: &'a [u8]) -> Option<()> {
        let color_table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 6 << (flags & 7) };
        let mut rest = bytes.get(13 + color_table(*bytes.get(10)?)..)?;
        loop {
            let (start, is_comment) = match *rest {
                [0x21, label, ..] => (2, label == 0xfe),
                [0x2c, _, _, _, _, _, _, _, _, flags, ..] => (11 + color_table(flags), false),
                _ => return None,
            };
            rest = rest.get(start..)?;
            let mut text = Vec::new();
            // Blocks of up to 255 bytes, each behind its length; one of none ends them.
            loop {
                let (&length, blocks) = rest.split_first()?;
                let (block, after) = blocks.split_at_checked(length.into())?;
                rest = after;
                if length == 0 {
                    break;
                }
                if is_comment {
                    text.extend_from_slice(block);
                }
            }
            if is_comment {
                self.comment.get_or_insert(text.into());
            }
        }
    }

    /// A TIFF file is what EXIF is: its own fields are read.
    fn read_tiff(&mut self, bytes: &'a [u8]) -> Option<()> {
        const XMP: usize = 700;
        let tiff = Tiff::of(bytes)?;
        self.exif = Some(bytes);
        self.xmp = tiff.value(tiff.first()?, XMP);
        None
    }
}
