//! Image bytes to 8-bit RGB (SPEC §1.1), with every limit that strangers' files need.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage};

use super::limits::{MAX_SIDE, decoder_limits};
use super::scans;
use crate::error::{Error, Result};
use crate::metadata::container::Parts;
use crate::metadata::tiff_number;

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
    let format = reader.format();
    // Of a JPEG file without its end, the decoder fills what is missing with grey.
    let has_separate_scans = format == Some(ImageFormat::Jpeg) && scans::has_separate_scans(bytes)?;
    let of_format = |error| match (format, error) {
        (Some(ImageFormat::Tiff), ImageError::Unsupported(error)) => Error::Tiff(error),
        (_, error) => error.into(),
    };
    let mut decoder = reader.into_decoder().map_err(of_format)?;
    let (width, height) = decoder.dimensions();
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(Error::ImageSize { width, height, max: MAX_SIDE });
    }
    let orientation = orientation(&mut decoder, bytes);
    let mut image = if has_separate_scans {
        if cfg!(target_arch = "wasm32") {
            return Err(Error::Scans);
        }
        DynamicImage::ImageRgb8(scans::decode(bytes)?)
    } else {
        DynamicImage::from_decoder(decoder).map_err(of_format)?
    };
    image.apply_orientation(orientation);
    if !image.color().has_alpha() {
        return Ok(image.into_rgb8());
    }
    let alpha = if format == Some(ImageFormat::Tiff) { alpha_of_tiff(bytes) } else { Alpha::Unassociated };
    Ok(on_white(image, alpha))
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

/// How a TIFF file's transparent colours are stored (TIFF 6.0, ExtraSamples).
fn alpha_of_tiff(bytes: &[u8]) -> Alpha {
    const EXTRA_SAMPLES: usize = 338;
    const ASSOCIATED: usize = 1;
    if tiff_number(bytes, EXTRA_SAMPLES) == Some(ASSOCIATED) { Alpha::Associated } else { Alpha::Unassociated }
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

/// Whether colours are multiplied by their alpha already.
#[derive(Clone, Copy, PartialEq)]
enum Alpha {
    Associated,
    Unassociated,
}

fn on_white(image: DynamicImage, kind: Alpha) -> RgbImage {
    let rgba = image.into_rgba8();
    let (width, height) = rgba.dimensions();
    let rgb = rgba.pixels().flat_map(|pixel| {
        let [r, g, b, alpha] = pixel.0.map(u32::from);
        let factor = if kind == Alpha::Associated { 255 } else { alpha };
        // A file may hold more colour than its alpha allows.
        [r, g, b].map(|level| ((level * factor + 255 * (255 - alpha) + 127) / 255).min(255) as u8)
    });
    RgbImage::from_raw(width, height, rgb.collect()).expect("three bytes for each pixel")
}
