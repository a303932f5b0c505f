//! Decodes image files to 8-bit RGB (SPEC §1.1). The files are untrusted, so sizes and memory are limited.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, RgbImage, RgbaImage};

use super::scans;
use crate::error::{Error, Result};
use crate::limits::{MAX_SIDE, decoder_limits};
use crate::metadata::container::FileMetadata;
use crate::metadata::tiff;

/// Decodes an image file (PNG, JPEG, WebP, GIF, BMP or TIFF) to 8-bit RGB. The EXIF orientation is applied (D1), and transparent
/// pixels are blended with white (D2).
///
/// # Errors
/// - [`Error::Empty`] for no bytes
/// - [`Error::Image`] for another format or a damaged file, and [`Error::Truncated`] for a JPEG file without its end
/// - [`Error::Tiff`] and [`Error::Scans`] for kinds of TIFF and JPEG files that are not supported
/// - [`Error::ImageSize`] for a side over [`MAX_SIDE`] pixels; memory for the pixels is allocated only after this check
///
/// # Examples
///
/// ```
/// use tsp_mgs_core::{Error, preprocess::decode};
///
/// // A white pixel in a BMP file.
/// let mut file = b"BM\x3a\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
/// file.resize(54, 0);
/// file.extend([255, 255, 255, 0]);
/// assert_eq!(decode(&file)?.into_raw(), [255, 255, 255]);
/// assert!(matches!(decode(b"no image"), Err(Error::Image(_))));
/// # Ok::<(), Error>(())
/// ```
pub fn decode(bytes: &[u8]) -> Result<RgbImage> {
    if bytes.is_empty() {
        return Err(Error::Empty);
    }
    let pixels = without_metadata_flags(bytes);
    let mut reader = ImageReader::new(Cursor::new(&*pixels)).with_guessed_format().map_err(ImageError::IoError)?;
    reader.limits(decoder_limits());
    let format = reader.format();
    // This also rejects a JPEG file without its end. The decoder would fill the missing pixels with grey.
    let has_separate_scans = format == Some(ImageFormat::Jpeg) && scans::has_separate_scans(bytes)?;
    let of_format = |error| match (format, error) {
        (Some(ImageFormat::Tiff), ImageError::Unsupported(error)) => Error::Tiff(error),
        (_, error) => error.into(),
    };
    let mut decoder = reader.into_decoder().map_err(of_format)?;
    let (width, height) = decoder.dimensions();
    if !is_size(width, height) {
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

/// Makes an 8-bit RGB image of pixels that something else decoded: `[height, width, 4]`, red, green, blue and alpha, colours not
/// multiplied by alpha. Transparent pixels are blended with white (D2).
///
/// # Errors
/// [`Error::ImageSize`] for a side of 0 or over [`MAX_SIDE`] pixels
///
/// # Panics
/// If there are not four bytes for each pixel.
///
/// # Examples
///
/// ```
/// use tsp_mgs_core::preprocess::from_rgba;
///
/// let image = from_rgba(2, 1, vec![10, 20, 30, 255, 0, 0, 0, 0])?;
/// assert_eq!(image.into_raw(), [10, 20, 30, 255, 255, 255]);
/// # Ok::<(), tsp_mgs_core::Error>(())
/// ```
pub fn from_rgba(width: u32, height: u32, pixels: Vec<u8>) -> Result<RgbImage> {
    if !is_size(width, height) {
        return Err(Error::ImageSize { width, height, max: MAX_SIDE });
    }
    let image = RgbaImage::from_raw(width, height, pixels).expect("four bytes for each pixel");
    Ok(on_white(image.into(), Alpha::Unassociated))
}

fn is_size(width: u32, height: u32) -> bool {
    let sides = 1..=MAX_SIDE;
    sides.contains(&width) && sides.contains(&height)
}

/// Clears the flags of a WebP header for an ICC profile, EXIF and XMP. The decoder rejects files with a flag but without its
/// chunk, and none of these chunks changes pixels.
fn without_metadata_flags(bytes: &[u8]) -> Cow<'_, [u8]> {
    const FLAGS: usize = 20;
    const METADATA: u8 = 0x20 | 0x08 | 0x04;
    let is_extended = bytes.starts_with(b"RIFF") && bytes.get(8..16) == Some(b"WEBPVP8X");
    match bytes.get(FLAGS).filter(|flags| is_extended && **flags & METADATA != 0) {
        None => bytes.into(),
        Some(flags) => {
            let mut without = bytes.to_vec();
            without[FLAGS] = flags & !METADATA;
            without.into()
        }
    }
}

/// How a TIFF file stores the colours of transparent pixels (TIFF 6.0, ExtraSamples).
fn alpha_of_tiff(bytes: &[u8]) -> Alpha {
    const EXTRA_SAMPLES: usize = 338;
    const ASSOCIATED: usize = 1;
    if tiff::short_value(bytes, EXTRA_SAMPLES) == Some(ASSOCIATED) { Alpha::Associated } else { Alpha::Unassociated }
}

/// The EXIF orientation. Unreadable EXIF data counts as no orientation.
fn orientation(decoder: &mut impl ImageDecoder, bytes: &[u8]) -> Orientation {
    // `image` allocates the length that a WebP file states for its EXIF data.
    let found = if bytes.starts_with(b"RIFF") {
        FileMetadata::read(bytes).exif.and_then(Orientation::from_exif_chunk)
    } else {
        decoder.orientation().ok()
    };
    found.unwrap_or(Orientation::NoTransforms)
}

/// Whether colours are multiplied by alpha in the file.
#[derive(Clone, Copy, PartialEq)]
enum Alpha {
    Associated,
    Unassociated,
}

/// Blends an image with white.
fn on_white(image: DynamicImage, kind: Alpha) -> RgbImage {
    let rgba = image.into_rgba8();
    let (width, height) = rgba.dimensions();
    let rgb = rgba.pixels().flat_map(|pixel| {
        let [r, g, b, alpha] = pixel.0.map(u32::from);
        let factor = if kind == Alpha::Associated { 255 } else { alpha };
        // In a damaged file, a multiplied colour can exceed its alpha.
        [r, g, b].map(|level| ((level * factor + 255 * (255 - alpha) + 127) / 255).min(255) as u8)
    });
    RgbImage::from_raw(width, height, rgb.collect()).expect("three bytes for each pixel")
}
