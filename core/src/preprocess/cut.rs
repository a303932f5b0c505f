//! Makes the views of an image: crops, and the whole image resized (SPEC §1.3 to 1.5).

use super::enlarge::{Enlarged, SHORT_SIDE, enlarged_size};
use super::normalise::NORMALISED;
use super::views::{Mirror, Rect, ViewPlan, Views};
use crate::error::{Error, Result};

/// The distance between neighbouring crops (IPCE).
const STRIDE: u32 = 32;
/// The distance in an image with a side of at least [`LARGE_SIDE`] (IPCE).
const LARGE_STRIDE: u32 = 48;
const LARGE_SIDE: u32 = 1024;

/// The number of positions for crops in an upright image of this size, after upscaling.
pub fn crop_positions(width: u32, height: u32, side: u32) -> u64 {
    let (width, height) = enlarged_size(width, height);
    Grid::new(width, height, side).count()
}

impl ViewPlan {
    /// The largest allowed number of crops: the number of positions in the smallest image, 512 × 512.
    pub fn max_crops(side: u32) -> usize {
        let along = ((SHORT_SIDE - side) / STRIDE + 1) as usize;
        along * along
    }
}

impl Enlarged<'_> {
    /// The number of positions for crops with this side.
    pub fn crop_positions(&self, side: u32) -> u64 {
        Grid::new(self.width, self.height, side).count()
    }

    /// Makes the planned views. The crops are at positions `floor(count / crops) × i`.
    ///
    /// # Errors
    /// [`Error::Crops`] if `plan` has more crops than the smallest image has positions, or no views at all.
    pub fn views(&self, plan: ViewPlan) -> Result<Views> {
        let max = ViewPlan::max_crops(plan.side);
        if plan.crops > max || plan.is_empty() {
            return Err(Error::Crops { found: plan.crops, max });
        }
        let step = self.crop_positions(plan.side) / plan.crops.max(1) as u64;
        let positions: Vec<u64> = (0..plan.crops as u64).map(|i| step * i).collect();
        Ok(self.views_at(plan, &positions, Mirror::No))
    }

    /// Makes the planned views with crops at the given positions. Positions count row by row in the image, or in its mirror
    /// image if `mirror` is [`Mirror::LeftRight`].
    ///
    /// # Shapes
    /// - `positions`: `[crops]`, each below [`Self::crop_positions`]
    ///
    /// # Panics
    /// If `positions` has another length, or a position does not exist.
    pub fn views_at(&self, plan: ViewPlan, positions: &[u64], mirror: Mirror) -> Views {
        assert_eq!(positions.len(), plan.crops, "positions of the crops");
        let grid = Grid::new(self.width, self.height, plan.side);
        let area = (plan.side * plan.side) as usize;
        let image = if plan.has_image { self.resized_whole(plan.side, mirror) } else { Vec::new() };
        let (width, height) = self.upright_size();
        let (x_scale, y_scale) = (width as f32 / self.width as f32, height as f32 / self.height as f32);
        let mut crops = Vec::with_capacity(plan.crops * 3 * area);
        let mut crop_rects = Vec::with_capacity(plan.crops);
        for &position in positions {
            assert!(position < grid.count(), "position {position} of {}", grid.count());
            let (x, y) = grid.origin(position);
            let x = if mirror == Mirror::No { x } else { self.width - plan.side - x };
            for row in self.region(x, y, plan.side, plan.side).rows() {
                match mirror {
                    Mirror::No => crops.extend_from_slice(row.as_flattened()),
                    Mirror::LeftRight => row.iter().rev().for_each(|rgb| crops.extend_from_slice(rgb)),
                }
            }
            crop_rects.push(Rect {
                x: x as f32 * x_scale,
                y: y as f32 * y_scale,
                width: plan.side as f32 * x_scale,
                height: plan.side as f32 * y_scale,
            });
        }
        Views { plan, image, crops, crop_rects, width, height }
    }

    /// The resized view, normalised, `[3, side, side]`. Bilinear with half-pixel centres and without antialiasing (D3), in the
    /// arithmetic of PyTorch.
    fn resized_whole(&self, side: u32, mirror: Mirror) -> Vec<f32> {
        let mut columns = samples(self.width, side);
        let rows = samples(self.height, side);
        if mirror == Mirror::LeftRight {
            for sample in &mut columns {
                sample.pixels = sample.pixels.map(|x| self.width - 1 - x);
            }
        }
        let side = side as usize;
        let mut view = vec![0.0; 3 * side * side];
        for (row, y) in rows.iter().enumerate() {
            for (column, x) in columns.iter().enumerate() {
                let corners = self.corners(x.pixels, y.pixels);
                for (channel, plane) in view.chunks_exact_mut(side * side).enumerate() {
                    let value = |corner: usize| NORMALISED[channel][usize::from(corners[corner][channel])];
                    let upper = (1.0 - x.fraction) * value(0) + x.fraction * value(1);
                    let lower = (1.0 - x.fraction) * value(2) + x.fraction * value(3);
                    plane[row * side + column] = (1.0 - y.fraction) * upper + y.fraction * lower;
                }
            }
        }
        view
    }
}

/// All positions of crops in an upscaled image, row by row.
struct Grid {
    stride: u32,
    columns: u64,
    rows: u64,
}

impl Grid {
    fn new(width: u32, height: u32, side: u32) -> Self {
        let stride = if width.max(height) >= LARGE_SIDE { LARGE_STRIDE } else { STRIDE };
        let along = |length: u32| u64::from((length - side) / stride + 1);
        Self { stride, columns: along(width), rows: along(height) }
    }

    fn count(&self) -> u64 {
        self.columns * self.rows
    }

    /// The upper left corner of a crop.
    fn origin(&self, position: u64) -> (u32, u32) {
        ((position % self.columns) as u32 * self.stride, (position / self.columns) as u32 * self.stride)
    }
}

/// A sample between two neighbouring pixels of one axis.
struct Sample {
    pixels: [u32; 2],
    /// The weight of the second pixel.
    fraction: f32,
}

/// The samples of an axis of `length` pixels that is resized to `side` pixels.
fn samples(length: u32, side: u32) -> Vec<Sample> {
    let scale = length as f32 / side as f32;
    let sample = |i: u32| {
        let at = (scale * (i as f32 + 0.5) - 0.5).max(0.0);
        let first = (at as u32).min(length - 1);
        Sample { pixels: [first, (first + 1).min(length - 1)], fraction: at - first as f32 }
    };
    (0..side).map(sample).collect()
}
