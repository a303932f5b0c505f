//! Image bytes to normalised views: the only decoding, resizing and cutting in the project (SPEC §1).
//!
//! The paper takes its inputs from IPCE (Peng et al., CVPRW 2024): the image resized whole, and
//! windows of it at full size. Equal to Pillow and PyTorch within one 8-bit level. Scoring cuts the
//! windows that [`views`] lays down; training chooses its own with [`Enlarged::fill`].

mod cut;
mod decode;
mod doubt;
mod enlarge;
mod limits;
mod scans;

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::error::Result;

pub use cut::window_count;
pub use decode::decode;
pub use doubt::{FLAT, TINY, doubts, is_flat};
pub use enlarge::{Enlarged, SHORT_SIDE, enlarged_size, kept_size};
pub use limits::MAX_SIDE;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use limits::decoder_limits;

/// Names this preprocessing in model bundles; another way of making views needs another name.
pub const PREPROCESS_ID: &str = "tsp-mgs-views-1";

/// What to make of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewPlan {
    /// Side of every view in pixels: the model's `image_size`.
    pub side: u32,
    /// Whether the whole image, resized, is the first view: `I_r`.
    pub has_image: bool,
    /// Number of windows that follow: `N`.
    pub crops: usize,
}

/// An image as the model sees it.
#[derive(Clone, Debug)]
pub struct Views {
    /// What was asked for.
    pub plan: ViewPlan,
    /// The resized image, normalised, row-major `[3, side, side]`; empty if it was not planned.
    pub image: Vec<f32>,
    /// The windows, 8-bit RGB, row-major `[crops, side, side, 3]`: a quarter of what they take once they are normalised.
    pub crops: Vec<u8>,
    /// Where each window stands in the image.
    pub windows: Vec<Window>,
    /// Width of the upright image in pixels.
    pub width: u32,
    /// Height of the upright image in pixels.
    pub height: u32,
}

/// A rectangle in pixels of the upright image, before it was enlarged.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// Whether views show the image or its mirror image, as training does for every other one (D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// As it is.
    No,
    /// Left and right change places before windows are cut.
    LeftRight,
}

impl ViewPlan {
    /// Number of views.
    pub fn len(&self) -> usize {
        usize::from(self.has_image) + self.crops
    }

    /// Whether there is nothing to make.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many numbers all views of an image have: `views × 3 × side × side`.
    pub fn pixel_count(&self) -> usize {
        self.len() * 3 * (self.side * self.side) as usize
    }

    /// Largest `crops` for views of this side: what the smallest image, 512 × 512, has.
    pub fn max_crops(side: u32) -> usize {
        let along = ((SHORT_SIDE - side) / cut::STRIDE + 1) as usize;
        along * along
    }
}

impl Views {
    /// Normalised pixels of all views, row-major `[views, 3, side, side]`: the resized image first, if planned.
    pub fn pixels(&self) -> Vec<f32> {
        let area = (self.plan.side * self.plan.side) as usize;
        let mut pixels = Vec::with_capacity(self.plan.pixel_count());
        pixels.extend_from_slice(&self.image);
        for window in self.crops.as_chunks().0.chunks_exact(area) {
            (0..3).for_each(|channel| pixels.extend(normalised(window, channel)));
        }
        pixels
    }
}

/// One channel of 8-bit RGB pixels, normalised.
pub(crate) fn normalised(rgb: &[[u8; 3]], channel: usize) -> impl Iterator<Item = f32> {
    let table = &cut::NORMALISED[channel];
    rgb.iter().map(move |rgb| table[usize::from(rgb[channel])])
}

/// Enlarges an upright image if it is small, then makes the planned views.
///
/// # Errors
/// [`crate::Error::Crops`] when `plan` asks for more windows than every image has.
pub fn views(image: &RgbImage, plan: ViewPlan) -> Result<Views> {
    Enlarged::new(image).views(plan)
}
