//! Images of which a score says little, so that its result says so.

use super::SHORT_SIDE;

/// What the result of an image of one colour says: nothing is seen in it, though it gets numbers like any other.
pub const FLAT: &str = "the image has one colour: its scores say little";
/// What the result of a very small image says.
pub const TINY: &str = "the image is smaller than 64 pixels: its scores are those of a blurred enlargement";

/// Most levels of 255 by which a channel of a flat image differs from its first pixel: JPEG files of one colour are off by up to 3.
const FLAT_LEVELS: u8 = 4;
/// A shorter side below this is enlarged more than eight times; the paper's data sets begin at 512 pixels.
const TINY_SIDE: u32 = SHORT_SIDE / 8;

/// What is known of an image beside its views.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// Upright width in pixels.
    pub width: u32,
    /// Upright height in pixels.
    pub height: u32,
    /// Whether all pixels have the same colour, or nearly so: a black image, for instance.
    pub is_flat: bool,
}

impl ImageFacts {
    /// Why a score of this image says little; nothing for most images.
    pub fn doubts<'a>(self) -> impl Iterator<Item = &'a str> {
        let is_tiny = self.width.min(self.height) < TINY_SIDE;
        self.is_flat.then_some::<&'a str>(FLAT).into_iter().chain(is_tiny.then_some::<&'a str>(TINY))
    }
}

/// Whether all pixels of `rgb`, row-major `[height, width, 3]`, have nearly the colour of the first one.
pub(super) fn is_flat(rgb: &[u8]) -> bool {
    let pixels = rgb.as_chunks::<3>().0;
    let Some(first) = pixels.first() else { return true };
    pixels.iter().all(|pixel| pixel.iter().zip(first).all(|(level, first)| level.abs_diff(*first) <= FLAT_LEVELS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_flat_when_no_level_is_far_from_the_first() {
        assert!(is_flat(&[0; 30]));
        assert!(is_flat(&[200, 10, 30, 204, 6, 30]));
        assert!(!is_flat(&[200, 10, 30, 200, 10, 35]));
    }

    #[test]
    fn small_and_flat_images_are_doubted() {
        let doubts = |width, height, is_flat| ImageFacts { width, height, is_flat }.doubts().collect::<Vec<_>>();
        assert_eq!(doubts(64, 64, false), Vec::<&str>::new());
        assert_eq!(doubts(1024, 63, false), [TINY]);
        assert_eq!(doubts(512, 512, true), [FLAT]);
        assert_eq!(doubts(1, 1, true), [FLAT, TINY]);
    }
}
