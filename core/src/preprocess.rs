//! Preprocessing: from the bytes of an image to the normalised pixels that the image tower takes (SPEC §1).
//!
//! All decoding, resizing and cutting of the project is in this module. Scoring, evaluation and training share it: an image
//! is [decoded](decode), [upscaled](Enlarged) if it is small, cut into [`Views`], and [written](Views::write_pixels) in the
//! order of the image tower's tokens. Pixels equal those of Pillow and PyTorch within one 8-bit level.
//!
//! The paper takes its inputs from IPCE (Peng et al., CVPRW 2024): the whole image, resized, and crops at full size. Scoring
//! takes [evenly spaced crops](Enlarged::views). Training [chooses its own](Enlarged::views_at).

mod cut;
mod decode;
mod enlarge;
mod normalise;
mod notes;
mod scans;
mod views;

use image::RgbImage;

use crate::error::Result;

pub use crate::limits::MAX_SIDE;
pub use cut::crop_positions;
pub use decode::{decode, from_rgba};
pub use enlarge::{Enlarged, SHORT_SIDE, enlarged_size, kept_size};
pub use normalise::{MEAN, STD};
pub use notes::{BROWSER_DECODED, FLAT, TINY, image_notes, is_flat};
pub use views::{Mirror, Rect, ViewPlan, Views};

/// The name of this preprocessing in model bundles. Preprocessing that gives other pixels needs another name.
pub const PREPROCESS_ID: &str = "tsp-mgs-views-1";

/// Upscales an upright image if it is small, then makes the planned views with evenly spaced crops.
///
/// # Errors
/// [`crate::Error::Crops`] if `plan` has more crops than the smallest image has positions, or no views at all.
///
/// # Examples
///
/// ```
/// use tsp_mgs_core::preprocess::{ViewPlan, views};
///
/// let image = image::RgbImage::new(640, 480);
/// let views = views(&image, ViewPlan { side: 224, has_image: true, crops: 15 })?;
/// assert_eq!(views.crop_rects.len(), 15);
/// // The resized image and 15 crops, as 7 × 7 tokens of 32 × 32 pixels each.
/// assert_eq!(views.pixels(32).len(), 16 * (7 * 7) * (3 * 32 * 32));
/// # Ok::<(), tsp_mgs_core::Error>(())
/// ```
pub fn views(image: &RgbImage, plan: ViewPlan) -> Result<Views> {
    Enlarged::new(image).views(plan)
}
