//! Views of an image: windows and the image resized, mirrored or not, normalised (SPEC §1.3 to 1.5).

use super::enlarge::{Enlarged, enlarged_size};
use super::{Mirror, ViewPlan, Views, Window};
use crate::error::{Error, Result};

/// Distance between neighbouring windows (IPCE).
pub(super) const STRIDE: u32 = 32;
/// The same for an image with a side of at least [`LARGE_SIDE`] (IPCE).
const LARGE_STRIDE: u32 = 48;
const LARGE_SIDE: u32 = 1024;

/// CLIP's normalisation (OpenAI CLIP, `clip.py`).
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_55, 0.261_302_6, 0.275_777_1];

/// The normalised value of each 8-bit level of each channel.
pub(super) static NORMALISED: [[f32; 256]; 3] = normalised();

/// Number of windows of an upright image that is enlarged if it is small.
pub fn window_count(width: u32, height: u32, side: u32) -> u64 {
    let (width, height) = enlarged_size(width, height);
    Grid::new(width, height, side).count()
}

impl Enlarged<'_> {
    /// Number of windows with this side.
    pub fn window_count(&self, side: u32) -> u64 {
        Grid::new(self.width, self.height, side).count()
    }

    /// Makes the planned views, with windows `floor(count / crops) × i` of the grid.
    ///
    /// # Errors
    /// [`Error::Crops`] when `plan` asks for more windows than every image has.
    pub fn views(&self, plan: ViewPlan) -> Result<Views> {
        let max = ViewPlan::max_crops(plan.side);
        if plan.crops > max || plan.is_empty() {
            return Err(Error::Crops { found: plan.crops, max });
        }
        let grid = Grid::new(self.width, self.height, plan.side);
        let step = grid.count() / plan.crops.max(1) as u64;
        let chosen: Vec<u64> = (0..plan.crops as u64).map(|i| step * i).collect();
        let area = (plan.side * plan.side) as usize;
        let mut image = vec![0.0; if plan.has_image { 3 * area } else { 0 }];
        if plan.has_image {
            self.resize_whole(plan.side, Mirror::No, &mut image);
        }
        let mut crops = Vec::with_capacity(plan.crops * 3 * area);
        for &window in &chosen {
            let (x, y) = grid.origin(window);
            let region = self.region(x, y, plan.side, plan.side);
            region.rows().for_each(|row| crops.extend_from_slice(row.as_flattened()));
        }

        let (width, height) = self.upright_size();
        let (x_scale, y_scale) = (width as f32 / self.width as f32, height as f32 / self.height as f32);
        let windows = chosen.iter().map(|&window| {
            let (x, y) = grid.origin(window);
            Window {
                x: x as f32 * x_scale,
                y: y as f32 * y_scale,
                width: plan.side as f32 * x_scale,
                height: plan.side as f32 * y_scale,
            }
        });
        Ok(Views { plan, image, crops, windows: windows.collect(), width, height })
    }

    /// Writes the planned views to `pixels`, with windows of the caller's choice: places in the row-major
    /// grid of the image, or of its mirror image when `mirror` asks for that.
    ///
    /// # Shapes
    /// - `windows`: `[crops]`, below [`Self::window_count`]
    /// - `pixels`: `[views, 3, side, side]`, the resized image first, if planned
    ///
    /// # Panics
    /// For other shapes, and for a window beyond the grid.
    pub fn fill(&self, plan: ViewPlan, windows: &[u64], mirror: Mirror, pixels: &mut [f32]) {
        assert_eq!(windows.len(), plan.crops, "windows for each view");
        assert_eq!(pixels.len(), plan.pixel_count(), "pixels for all views");
        let grid = Grid::new(self.width, self.height, plan.side);
        let area = (plan.side * plan.side) as usize;
        let (resized, cut) = pixels.split_at_mut(if plan.has_image { 3 * area } else { 0 });
        if plan.has_image {
            self.resize_whole(plan.side, mirror, resized);
        }
        for (&window, view) in windows.iter().zip(cut.chunks_exact_mut(3 * area)) {
            assert!(window < grid.count(), "window {window} of {}", grid.count());
            let (x, y) = grid.origin(window);
            self.cut(x, y, plan.side, mirror, view);
        }
    }

    /// Cuts one window; `x` counts from the right when the image is mirrored.
    fn cut(&self, x: u32, y: u32, side: u32, mirror: Mirror, view: &mut [f32]) {
        let left = match mirror {
            Mirror::No => x,
            Mirror::LeftRight => self.width - side - x,
        };
        let side = side as usize;
        let [red, green, blue] = planes(view, side * side);
        let region = self.region(left, y, side as u32, side as u32);
        let rows = red.chunks_exact_mut(side).zip(green.chunks_exact_mut(side)).zip(blue.chunks_exact_mut(side));
        for (rgb, ((red, green), blue)) in region.rows().zip(rows) {
            let values = red.iter_mut().zip(green).zip(blue);
            let write = |([r, g, b], ((red, green), blue)): (&[u8; 3], ((&mut f32, &mut f32), &mut f32))| {
                *red = NORMALISED[0][usize::from(*r)];
                *green = NORMALISED[1][usize::from(*g)];
                *blue = NORMALISED[2][usize::from(*b)];
            };
            match mirror {
                Mirror::No => rgb.iter().zip(values).for_each(write),
                Mirror::LeftRight => rgb.iter().rev().zip(values).for_each(write),
            }
        }
    }

    /// The resized view: bilinear, half-pixel centres, no antialias (D3), in PyTorch's arithmetic.
    fn resize_whole(&self, side: u32, mirror: Mirror, view: &mut [f32]) {
        let mut columns = taps(self.width, side);
        let rows = taps(self.height, side);
        if mirror == Mirror::LeftRight {
            for tap in &mut columns {
                tap.at = tap.at.map(|x| self.width - 1 - x);
            }
        }
        let side = side as usize;
        let mut planes = planes(view, side * side);
        for (row, y) in rows.iter().enumerate() {
            for (column, x) in columns.iter().enumerate() {
                let corners = self.corners(x.at, y.at);
                for (channel, plane) in planes.iter_mut().enumerate() {
                    let at = |corner: usize| NORMALISED[channel][usize::from(corners[corner][channel])];
                    let upper = (1.0 - x.fraction) * at(0) + x.fraction * at(1);
                    let lower = (1.0 - x.fraction) * at(2) + x.fraction * at(3);
                    plane[row * side + column] = (1.0 - y.fraction) * upper + y.fraction * lower;
                }
            }
        }
    }
}

/// The row-major grid of all windows of an enlarged image.
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

    /// Upper left corner of a window.
    fn origin(&self, window: u64) -> (u32, u32) {
        ((window % self.columns) as u32 * self.stride, (window / self.columns) as u32 * self.stride)
    }
}

/// Two neighbouring pixels along one axis and how far the sample is towards the second.
struct Tap {
    at: [u32; 2],
    fraction: f32,
}

fn taps(length: u32, side: u32) -> Vec<Tap> {
    let scale = length as f32 / side as f32;
    let tap = |i: u32| {
        let at = (scale * (i as f32 + 0.5) - 0.5).max(0.0);
        let first = (at as u32).min(length - 1);
        Tap { at: [first, (first + 1).min(length - 1)], fraction: at - first as f32 }
    };
    (0..side).map(tap).collect()
}

/// The three channels of one view.
fn planes(view: &mut [f32], area: usize) -> [&mut [f32]; 3] {
    let (red, rest) = view.split_at_mut(area);
    let (green, blue) = rest.split_at_mut(area);
    [red, green, blue]
}

const fn normalised() -> [[f32; 256]; 3] {
    let mut table = [[0.0; 256]; 3];
    let mut channel = 0;
    while channel < 3 {
        let mut level = 0;
        while level < 256 {
            table[channel][level] = (level as f32 / 255.0 - MEAN[channel]) / STD[channel];
            level += 1;
        }
        channel += 1;
    }
    table
}
