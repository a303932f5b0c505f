//! Notes in the results of images whose scores say little.

use image::RgbImage;

use super::SHORT_SIDE;

/// What the result of an image of one colour says: it gets numbers like any other image, though it shows nothing.
pub const FLAT: &str = "the image has one colour: its scores say little";
/// What the result of a very small image says.
pub const TINY: &str = "the image is smaller than 64 pixels: its scores are those of a blurred enlargement";
/// The note in the result of an image whose pixels a browser decoded.
pub const BROWSER_DECODED: &str =
    "the browser decoded the image: another browser may decode it to slightly different pixels and scores";

/// The largest difference, in levels of 255, of a flat image's channel from its first pixel. JPEG files of one colour are off by up to 3.
const FLAT_LEVELS: u8 = 4;
/// An image whose shorter side is below this is enlarged more than eight times. The paper's data sets begin at 512 pixels.
const TINY_SIDE: u32 = SHORT_SIDE / 8;

/// Whether all pixels of the image have nearly the colour of the first one. A black image is one such.
pub fn is_flat(image: &RgbImage) -> bool {
    let pixels = image.as_raw().as_chunks::<3>().0;
    let Some(first) = pixels.first() else { return true };
    pixels.iter().all(|pixel| pixel.iter().zip(first).all(|(level, first)| level.abs_diff(*first) <= FLAT_LEVELS))
}

/// The notes for an image of this size in pixels. Most images have none.
pub fn image_notes<'a>(width: u32, height: u32, is_flat: bool) -> impl Iterator<Item = &'a str> {
    let is_tiny = width.min(height) < TINY_SIDE;
    is_flat.then_some::<&'a str>(FLAT).into_iter().chain(is_tiny.then_some(TINY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_flat_when_no_level_is_far_from_the_first() {
        let image =
            |levels: &[u8]| RgbImage::from_raw(levels.len() as u32 / 3, 1, levels.to_vec()).expect("whole pixels");
        assert!(is_flat(&image(&[0; 30])));
        assert!(is_flat(&image(&[200, 10, 30, 204, 6, 30])));
        assert!(!is_flat(&image(&[200, 10, 30, 200, 10, 35])));
    }

    #[test]
    fn small_and_flat_images_get_notes() {
        let notes = |width, height, is_flat| image_notes(width, height, is_flat).collect::<Vec<_>>();
        assert_eq!(notes(64, 64, false), Vec::<&str>::new());
        assert_eq!(notes(1024, 63, false), [TINY]);
        assert_eq!(notes(512, 512, true), [FLAT]);
        assert_eq!(notes(1, 1, true), [FLAT, TINY]);
    }
}
