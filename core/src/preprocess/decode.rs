//! Image bytes to 8-bit RGB (SPEC §1.1), with every limit that strangers' files need.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use crate::error::{Error, Result};
use crate::metadata::exif;

/// Longest side that is decoded, in pixels; two of them are 268 megapixels.
pub const MAX_SIDE: u32 = 16_384;
/// Memory that a decoder may take: the largest image with four 16-bit channels.
const MAX_DECODER_BYTES: u64 = MAX_SIDE as u64 * MAX_SIDE as u64 * 8;

/// Decodes an image to 8-bit RGB: upright (D1), transparency on white (D2).
///
/// # Errors
/// [`Error::Image`] for bytes that are no image we read or a damaged one, [`Error::ImageSize`] for
/// sides over [`MAX_SIDE`], before memory is taken for them.
pub fn decode(bytes: &[u8]) -> Result<RgbImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(image::ImageError::IoError)?;
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    reader.limits(limits);
    // The decoder fills what is missing with grey.
    if reader.format() == Some(ImageFormat::Jpeg) && !jpeg_is_whole(bytes) {
        return Err(Error::Truncated);
    }
    let mut decoder = reader.into_decoder()?;
    let (width, height) = decoder.dimensions();
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(Error::ImageSize { width, height });
    }
    let orientation = orientation(&mut decoder, bytes);
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(if image.color().has_alpha() { on_white(image) } else { image.into_rgb8() })
}

/// Whether a JPEG file reaches its end marker; what follows that is not looked at.
fn jpeg_is_whole(bytes: &[u8]) -> bool {
    const END: u8 = 0xd9;
    let mut rest = bytes.get(2..).unwrap_or_default();
    loop {
        // Up to the next marker: fill bytes, and after a scan's header its data, in which 0xff is
        // followed by 0 or a restart marker.
        let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7);
        let Some(start) = rest.windows(2).position(is_marker) else { return false };
        let (marker, after) = (rest[start + 1], &rest[start + 2..]);
        if marker == END {
            return true;
        }
        let Some(length) = after.first_chunk().map(|length| usize::from(u16::from_be_bytes(*length))) else {
            return false;
        };
        let Some(next) = after.get(length..) else { return false };
        rest = next;
    }
}

/// The EXIF orientation; none when it is unreadable, which is no reason to refuse the picture.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8]) -> Orientation {
    // `image` would take as much memory for a WebP file's EXIF as the file claims that it has.
    let found = match exif::in_webp(bytes) {
        Some(exif) => Orientation::from_exif_chunk(exif),
        None if bytes.starts_with(b"RIFF") => None,
        None => decoder.orientation().ok(),
    };
    found.unwrap_or(Orientation::NoTransforms)
}

fn on_white(image: DynamicImage) -> RgbImage {
    let rgba = image.into_rgba8();
    let (width, height) = rgba.dimensions();
    let blend = |level: u8, alpha: u32| ((u32::from(level) * alpha + 255 * (255 - alpha) + 127) / 255) as u8;
    let rgb = rgba.pixels().flat_map(|pixel| {
        let [r, g, b, alpha] = pixel.0;
        [r, g, b].map(|level| blend(level, u32::from(alpha)))
    });
    RgbImage::from_raw(width, height, rgb.collect()).expect("three bytes for each pixel")
}
