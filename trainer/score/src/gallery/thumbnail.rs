//! Thumbnails: small JPEG files without metadata.

use anyhow::Result;
use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use tsp_mgs_core::bundle::sha256;

/// The longer side of a gallery's thumbnails, in pixels.
pub const SIDE: u32 = 512;
/// High enough that compression adds no visible defects to the images that are judged.
const JPEG_QUALITY: u8 = 88;
/// The number of hexadecimal digits of a name: 128 bits of a hash.
const NAME_DIGITS: usize = 32;

/// A thumbnail of an image.
pub struct Thumbnail {
    /// The file name: the start of the SHA-256 of the image's file.
    pub name: String,
    /// The content of the JPEG file.
    pub jpeg: Vec<u8>,
}

impl Thumbnail {
    /// Makes a thumbnail whose longer side has at most `side` pixels.
    ///
    /// `file` holds the bytes of the image's file, and `pixels` is the upright image.
    ///
    /// # Errors
    /// Returns an error if the pixels cannot be encoded.
    pub fn new(file: &[u8], pixels: &RgbImage, side: u32) -> Result<Self> {
        let scale = (f64::from(side) / f64::from(pixels.width().max(pixels.height()))).min(1.0);
        let [width, height] = [pixels.width(), pixels.height()].map(|side| (f64::from(side) * scale).round() as u32);
        let small = resize(pixels, width.max(1), height.max(1), FilterType::Lanczos3);
        let mut jpeg = Vec::new();
        small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, JPEG_QUALITY))?;
        let mut name = sha256(file);
        name.truncate(NAME_DIGITS);
        Ok(Self { name: name + ".jpg", jpeg })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_keeps_the_shape_of_its_image_and_is_never_larger() {
        for (size, expected) in [((1024, 512), (512, 256)), ((40, 30), (40, 30)), ((6000, 2), (512, 1))] {
            let thumbnail = Thumbnail::new(b"file", &RgbImage::new(size.0, size.1), SIDE).expect("a thumbnail");
            let decoded = image::load_from_memory(&thumbnail.jpeg).expect("a JPEG file");
            assert_eq!((decoded.width(), decoded.height()), expected);
        }
    }

    #[test]
    fn the_name_follows_from_the_content_of_the_file() {
        let name = |file: &[u8]| Thumbnail::new(file, &RgbImage::new(4, 4), SIDE).expect("a thumbnail").name;
        assert_eq!(name(b"one"), name(b"one"));
        assert_ne!(name(b"one"), name(b"two"));
    }
}
