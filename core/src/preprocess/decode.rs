//! Image bytes to 8-bit RGB (SPEC §1.1), with every limit that strangers' files need.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage};

use tiff::decoder::Decoder as TiffDecoder;
use tiff::tags::Tag;

use super::scans;
use crate::error::{Error, Result};
use crate::metadata::container::Parts;

/// Longest side that is decoded, in pixels; two of them are 268 megapixels.
pub const MAX_SIDE: u32 = 16_384;
/// Memory that a decoder may take: the largest image with four 16-bit channels.
const MAX_DECODER_BYTES: u64 = MAX_SIDE as u64 * MAX_SIDE as u64 * 8;

/// Decodes an image to 8-bit RGB: upright (D1), transparency on white (D2).
///
/// # Errors
/// [`Error::Image`] for bytes that are no image we read or a damaged one, [`Error::Tiff`] for colours that we do not
/// read, [`Error::ImageSize`] for sides over [`MAX_SIDE`], before memory is taken for them.
pub fn decode(bytes: &[u8]) -> Result<RgbImage> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let pixels = without_promises(bytes);
    let mut reader = ImageReader::new(Cursor::new(&*pixels)).with_guessed_format().map_err(ImageError::IoError)?;
    reader.limits(decoder_limits());
    // `image` decodes BigTIFF, and does not guess it.
    if bytes.starts_with(b"II+\0") || bytes.starts_with(b"MM\0+") {
        reader.set_format(ImageFormat::Tiff);
    }
    let format = reader.format();
    // Of a JPEG file without its end, the decoder fills what is missing with grey.
    let has_separate_scans = format == Some(ImageFormat::Jpeg) && scans::has_separate_scans(bytes)?;
    let of_format = |error| match (format, error) {
        (Some(ImageFormat::Tiff), ImageError::Unsupported(error)) => Error::Tiff { found: tiff_color(bytes), error },
        (_, error) => error.into(),
    };
    let mut decoder = reader.into_decoder().map_err(of_format)?;
    let (width, height) = decoder.dimensions();
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(Error::ImageSize { width, height });
    }
    let orientation = orientation(&mut decoder, bytes);
    let mut image = if has_separate_scans {
        DynamicImage::ImageRgb8(scans::decode(bytes)?)
    } else {
        DynamicImage::from_decoder(decoder).map_err(of_format)?
    };
    image.apply_orientation(orientation);
    if !image.color().has_alpha() {
        return Ok(image.into_rgb8());
    }
    let is_premultiplied = format == Some(ImageFormat::Tiff) && tiff_is_premultiplied(bytes);
    Ok(if is_premultiplied {
        on_white(image, |level, _| 255 * level)
    } else {
        on_white(image, |level, alpha| alpha * level)
    })
}

/// What a decoder may take: a file shall not make us reserve more than the largest image needs.
pub(crate) fn decoder_limits() -> Limits {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODER_BYTES);
    limits
}

/// A WebP file whose header promises no ICC profile, EXIF or XMP: the decoder refuses one that promises what is not
/// there, and takes no pixel from them.
fn without_promises(bytes: &[u8]) -> Cow<'_, [u8]> {
    const FLAGS: usize = 20;
    const PROMISES: u8 = 0x20 | 0x08 | 0x04;
    let is_extended = bytes.starts_with(b"RIFF") && bytes.get(8..16) == Some(b"WEBPVP8X");
    match bytes.get(FLAGS).filter(|flags| is_extended && **flags & PROMISES != 0) {
        None => bytes.into(),
        Some(flags) => {
            let mut without = bytes.to_vec();
            without[FLAGS] = flags & !PROMISES;
            without.into()
        }
    }
}

/// Whether the colours of a TIFF file are multiplied by its alpha already (TIFF 6.0, ExtraSamples).
fn tiff_is_premultiplied(bytes: &[u8]) -> bool {
    const ASSOCIATED_ALPHA: u16 = 1;
    let extra = TiffDecoder::new(Cursor::new(bytes)).ok().map(|mut tiff| tiff.find_tag_unsigned_vec(Tag::ExtraSamples));
    matches!(extra, Some(Ok(Some(extra))) if extra.first() == Some(&ASSOCIATED_ALPHA))
}

/// What a TIFF file's colours are, for messages.
fn tiff_color(bytes: &[u8]) -> String {
    let color = TiffDecoder::new(Cursor::new(bytes)).and_then(|mut tiff| tiff.colortype());
    color.map_or_else(|error| error.to_string(), |color| format!("{color:?}"))
}

/// The EXIF orientation; none when it is unreadable, which is no reason to refuse the picture.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8]) -> Orientation {
    // `image` would take as much memory for a WebP file's EXIF as the file claims that it has.
    let found = if bytes.starts_with(b"RIFF") {
        Parts::of(bytes).exif.and_then(Orientation::from_exif_chunk)
    } else {
        decoder.orientation().ok()
    };
    found.unwrap_or(Orientation::NoTransforms)
}

/// Composites on white; `seen` is what is seen of a level with its alpha, 255 times.
fn on_white(image: DynamicImage, seen: impl Fn(u32, u32) -> u32) -> RgbImage {
    let rgba = image.into_rgba8();
    let (width, height) = rgba.dimensions();
    let rgb = rgba.pixels().flat_map(|pixel| {
        let [r, g, b, alpha] = pixel.0.map(u32::from);
        // A file may hold more than its alpha allows.
        [r, g, b].map(|level| ((seen(level, alpha) + 255 * (255 - alpha) + 127) / 255).min(255) as u8)
    });
    RgbImage::from_raw(width, height, rgb.collect()).expect("three bytes for each pixel")
}
