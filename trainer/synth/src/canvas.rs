//! An image of floats, and masks of coverage for shading.

use resvg::tiny_skia::{FillRule, Mask, Path, Transform};

/// Width and height of every image, in pixels. Preprocessing does not upscale images of this size.
pub const SIDE: usize = 512;

/// An RGB image `[SIDE, SIDE, 3]`, row-major, with values nominally in [0, 255].
#[derive(Clone)]
pub struct Canvas(pub Vec<f32>);

/// The coverage of each pixel of a rectangle by a shape, in [0, 1].
#[derive(Clone)]
pub struct CoverageMask {
    /// Left edge of the rectangle in the image, in pixels.
    pub left: usize,
    /// Top edge of the rectangle in the image, in pixels.
    pub top: usize,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Coverage, row-major `[height, width]`.
    pub values: Vec<f32>,
}

impl Canvas {
    /// A black image.
    pub fn new() -> Self {
        Self(vec![0.0; 3 * SIDE * SIDE])
    }

    /// Red, green and blue of a pixel.
    pub fn at(&mut self, x: usize, y: usize) -> &mut [f32] {
        let start = 3 * (y * SIDE + x);
        &mut self.0[start..start + 3]
    }

    /// The image as 8-bit RGB, row-major.
    pub fn to_bytes(&self) -> Vec<u8> {
        // The cast saturates: values below 0 become 0, values above 255 become 255.
        self.0.iter().map(|value| (value + 0.5) as u8).collect()
    }

    /// The image of 8-bit RGB values, row-major.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|&value| f32::from(value)).collect())
    }
}

impl CoverageMask {
    /// The coverage of paths, in a rectangle that is `margin` pixels larger on each side. `None` if it lies outside the
    /// image.
    pub fn of(paths: &[&Path], transform: Transform, margin: usize) -> Option<Self> {
        let mut mask = Mask::new(SIDE as u32, SIDE as u32)?;
        let (mut left, mut top, mut right, mut bottom) = (SIDE as f32, SIDE as f32, 0.0_f32, 0.0_f32);
        for path in paths {
            mask.fill_path(path, FillRule::Winding, true, transform);
            let bounds = (*path).clone().transform(transform)?.bounds();
            left = left.min(bounds.left());
            top = top.min(bounds.top());
            right = right.max(bounds.right());
            bottom = bottom.max(bounds.bottom());
        }
        let [left, right] = [left, right].map(|edge| edge.clamp(0.0, SIDE as f32).round() as usize);
        let [top, bottom] = [top, bottom].map(|edge| edge.clamp(0.0, SIDE as f32).round() as usize);
        if left >= right || top >= bottom {
            return None;
        }
        // One more pixel, because the edges were rounded.
        let margin = margin + 1;
        let (left, right) = (left.saturating_sub(margin), (right + margin).min(SIDE));
        let (top, bottom) = (top.saturating_sub(margin), (bottom + margin).min(SIDE));
        let rows = mask.data().chunks_exact(SIDE).take(bottom).skip(top);
        let values = rows.flat_map(|row| &row[left..right]).map(|&value| f32::from(value) / 255.0).collect();
        Some(Self { left, top, width: right - left, height: bottom - top, values })
    }

    /// The mask blurred by two box filters of this radius in pixels.
    pub fn blurred(&self, radius: usize) -> Self {
        let mut blurred = self.clone();
        for _ in 0..2 {
            let values = blur_rows(&blurred.values, blurred.width, radius);
            let transposed_values = transposed(&values, blurred.width);
            let values = blur_rows(&transposed_values, blurred.height, radius);
            blurred.values = transposed(&values, blurred.height);
        }
        blurred
    }

    /// The coverage at a pixel of the rectangle; 0 outside.
    pub fn at(&self, x: isize, y: isize) -> f32 {
        let is_inside = (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
        if is_inside { self.values[y as usize * self.width + x as usize] } else { 0.0 }
    }
}

/// Means over `2 · radius + 1` pixels of each row. Pixels outside are 0.
fn blur_rows(values: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let mut blurred = Vec::with_capacity(values.len());
    let share = 1.0 / (2 * radius + 1) as f32;
    for row in values.chunks_exact(width) {
        let mut sum: f32 = row[..radius.min(width)].iter().sum();
        for x in 0..width {
            sum += row.get(x + radius).unwrap_or(&0.0);
            blurred.push(sum * share);
            sum -= x.checked_sub(radius).map_or(0.0, |leaving| row[leaving]);
        }
    }
    blurred
}

fn transposed(values: &[f32], width: usize) -> Vec<f32> {
    let height = values.len() / width;
    let mut transposed_values = Vec::with_capacity(values.len());
    for x in 0..width {
        transposed_values.extend((0..height).map(|y| values[y * width + x]));
    }
    transposed_values
}

#[cfg(test)]
mod tests {
    use resvg::tiny_skia::{PathBuilder, Rect};

    use super::*;

    #[test]
    fn blurring_a_mask_keeps_its_area_and_softens_its_edge() {
        let path = PathBuilder::from_rect(Rect::from_ltrb(100.0, 80.0, 160.0, 130.0).unwrap());
        let cover = CoverageMask::of(&[&path], Transform::identity(), 40).unwrap();
        let blurred = cover.blurred(9);
        let area = |cover: &CoverageMask| cover.values.iter().sum::<f32>();
        assert_eq!(area(&cover), 60.0 * 50.0);
        // Rounding errors of 11,000 sums of 19 numbers each, four times over, in single precision.
        assert!((area(&blurred) - 3000.0).abs() < 1.0, "{}", area(&blurred));
        // The rectangle starts at (59, 39). This is the middle of the left edge, where the coverage is a half.
        assert_eq!((cover.at(40, 65), cover.at(41, 65)), (0.0, 1.0));
        let edge = 0.5 * (blurred.at(40, 65) + blurred.at(41, 65));
        assert!((edge - 0.5).abs() < 1e-3, "{edge}");
    }

    #[test]
    fn a_path_outside_the_image_has_no_mask() {
        let path = PathBuilder::from_circle(700.0, 90.0, 30.0).unwrap();
        assert!(CoverageMask::of(&[&path], Transform::identity(), 10).is_none());
    }
}
