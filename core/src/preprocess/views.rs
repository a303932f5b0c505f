//! The views of an image, and their pixels in the order of the image tower's input.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::normalise::NORMALISED;

/// Which views to make of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewPlan {
    /// Width and height of each view in pixels: the model's `image_size`.
    pub side: u32,
    /// Whether the first view is the resized image, `I_r`.
    pub has_image: bool,
    /// The number of crops, `N`. They follow the resized image.
    pub crops: usize,
}

impl ViewPlan {
    /// The number of views.
    pub fn len(&self) -> usize {
        usize::from(self.has_image) + self.crops
    }

    /// Whether there are no views.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The places of the crops among the views. If there is a resized image, its place is 0.
    pub fn crop_range(&self) -> Range<usize> {
        usize::from(self.has_image)..self.len()
    }

    /// The number of values in the pixels of all views: `views × 3 × side × side`.
    pub fn pixel_count(&self) -> usize {
        self.len() * 3 * (self.side * self.side) as usize
    }
}

/// The views of an image.
#[derive(Clone, Debug)]
pub struct Views {
    /// The views that were asked for.
    pub plan: ViewPlan,
    /// The resized image, normalised, row-major `[3, side, side]`; empty if it was not planned.
    pub image: Vec<f32>,
    /// The crops as 8-bit RGB, row-major `[crops, side, side, 3]`. Normalised they would take four times as much memory.
    pub crops: Vec<u8>,
    /// The area of each crop.
    pub crop_rects: Vec<Rect>,
    /// Width of the upright image in pixels.
    pub width: u32,
    /// Height of the upright image in pixels.
    pub height: u32,
}

/// A rectangle in pixels of the upright image, before upscaling.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// Whether views show the image or its mirror image. Training mirrors half of the images (D4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// The image as it is.
    No,
    /// The image with left and right exchanged.
    LeftRight,
}

impl Views {
    /// The normalised pixels of all views. See [`Views::write_pixels`].
    ///
    /// # Panics
    /// If `patch_size` does not divide the side of a view.
    pub fn pixels(&self, patch_size: u32) -> Vec<f32> {
        let mut pixels = vec![0.0; self.plan.pixel_count()];
        self.write_pixels(patch_size, &mut pixels);
        pixels
    }

    /// Writes the normalised pixels of all views, the resized image first. A view is split into square tokens of `patch_size`
    /// pixels a side, row by row, as the image tower takes it. With `patch_size = side` a view is one token, so the shape is
    /// `[views, 3, side, side]`.
    ///
    /// # Shapes
    /// - `out`: `[views, grid², 3 · patch_size²]`, where `grid = side / patch_size`
    ///
    /// # Panics
    /// If `out` has another length, or `patch_size` does not divide the side of a view.
    pub fn write_pixels(&self, patch_size: u32, out: &mut [f32]) {
        assert!(patch_size > 0 && self.plan.side.is_multiple_of(patch_size), "views of whole tokens");
        assert_eq!(out.len(), self.plan.pixel_count(), "length of the pixels");
        let (side, patch_size) = (self.plan.side as usize, patch_size as usize);
        let (grid, area) = (side / patch_size, side * side);
        // The start, within a channel of a view, of each row of each token.
        let starts: Vec<Vec<usize>> = (0..grid * grid)
            .map(|token| {
                let first = token / grid * patch_size * side + token % grid * patch_size;
                (0..patch_size).map(|row| first + row * side).collect()
            })
            .collect();
        let (resized, cropped) = out.split_at_mut(self.image.len());
        for (view, image) in resized.chunks_exact_mut(3 * area).zip(self.image.chunks_exact(3 * area)) {
            write_view(view, &starts, patch_size, |row, channel, start| {
                row.copy_from_slice(&image[channel * area + start..][..patch_size]);
            });
        }
        for (view, crop) in cropped.chunks_exact_mut(3 * area).zip(self.crops.as_chunks().0.chunks_exact(area)) {
            write_view(view, &starts, patch_size, |row, channel, start| {
                let rgb: &[[u8; 3]] = &crop[start..][..patch_size];
                let table = &NORMALISED[channel];
                row.iter_mut().zip(rgb).for_each(|(value, rgb)| *value = table[usize::from(rgb[channel])]);
            });
        }
    }
}

/// Calls `write` for each row of each channel of each token of a view, with the row, its channel, and its start.
fn write_view(view: &mut [f32], starts: &[Vec<usize>], patch_size: usize, write: impl Fn(&mut [f32], usize, usize)) {
    for (token, starts) in view.chunks_exact_mut(3 * patch_size * patch_size).zip(starts) {
        for (channel, plane) in token.chunks_exact_mut(patch_size * patch_size).enumerate() {
            plane.chunks_exact_mut(patch_size).zip(starts).for_each(|(row, &start)| write(row, channel, start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_cut_row_by_row_with_their_channels_apart() {
        let plan = ViewPlan { side: 4, has_image: true, crops: 1 };
        let crops: Vec<u8> = (0..48).collect();
        // Normalised values that name their place: channel × 100 + pixel.
        let image = (0..3).flat_map(|channel| (0..16).map(move |pixel| (channel * 100 + pixel) as f32)).collect();
        let views = Views { plan, image, crops, crop_rects: Vec::new(), width: 4, height: 4 };
        let found = views.pixels(2);
        // Pixels of the four tokens of a 4 × 4 view.
        let tokens = [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]];
        let places =
            tokens.iter().flat_map(|token| (0..3).flat_map(move |channel| token.map(|pixel| (channel, pixel))));
        let expected = places.clone().map(|(channel, pixel)| (channel * 100 + pixel) as f32);
        let expected = expected.chain(places.map(|(channel, pixel)| NORMALISED[channel][3 * pixel + channel]));
        assert_eq!(found, expected.collect::<Vec<f32>>());
        // One token for the whole view: planes.
        let planes = views.pixels(4);
        assert_eq!(planes[..48], views.image);
        assert_eq!(planes[48 + 16 + 5], NORMALISED[1][3 * 5 + 1]);
    }
}
