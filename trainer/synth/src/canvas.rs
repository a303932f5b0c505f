//! A picture as floats, and the soft masks that shade it.

use resvg::tiny_skia::{FillRule, Mask, Path, Transform};

/// Width and height of every image in pixels: what preprocessing leaves as it is.
pub const SIDE: usize = 512;

/// Red, green and blue of every pixel, row by row, nominally in [0, 255].
#[derive(Clone)]
pub struct Canvas(pub Vec<f32>);

/// How much of each pixel of a window is covered, in [0, 1].
#[derive(Clone)]
pub struct Cover {
    /// Left edge in the picture.
    pub left: usize,
    /// Upper edge.
    pub top: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Row by row.
    pub values: Vec<f32>,
}

impl Canvas {
    /// Black.
    pub fn new() -> Self {
        Self(vec![0.0; 3 * SIDE * SIDE])
    }

    /// A pixel.
    pub fn at(&mut self, x: usize, y: usize) -> &mut [f32] {
        let start = 3 * (y * SIDE + x);
        &mut self.0[start..start + 3]
    }

    /// The nearest 8-bit values.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A float becomes a byte by saturation: below 0 is 0, above 255 is 255.
        self.0.iter().map(|value| (value + 0.5) as u8).collect()
    }

    /// From 8-bit values.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.iter().map(|&value| f32::from(value)).collect())
    }
}

impl Cover {
    /// What a path covers, in a window `margin` pixels larger; `None` when that lies outside of the picture.
    pub fn of(paths: &[&Path], place: Transform, margin: usize) -> Option<Self> {
        let mut mask = Mask::new(SIDE as u32, SIDE as u32)?;
        let (mut left, mut top, mut right, mut bottom) = (SIDE as f32, SIDE as f32, 0.0_f32, 0.0_f32);
        for path in paths {
            mask.fill_path(path, FillRule::Winding, true, place);
            let bounds = (*path).clone().transform(place)?.bounds();
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
        // One pixel more, as the edges were rounded.
        let margin = margin + 1;
        let (left, right) = (left.saturating_sub(margin), (right + margin).min(SIDE));
        let (top, bottom) = (top.saturating_sub(margin), (bottom + margin).min(SIDE));
        let rows = mask.data().chunks_exact(SIDE).take(bottom).skip(top);
        let values = rows.flat_map(|row| &row[left..right]).map(|&value| f32::from(value) / 255.0).collect();
        Some(Self { left, top, width: right - left, height: bottom - top, values })
    }

    /// The same, blurred by two box filters of this radius in pixels.
    pub fn blurred(&self, radius: usize) -> Self {
        let mut blurred = self.clone();
        for _ in 0..2 {
            let values = blur_rows(&blurred.values, blurred.width, radius);
            let turned = transposed(&values, blurred.width);
            let values = blur_rows(&turned, blurred.height, radius);
            blurred.values = transposed(&values, blurred.height);
        }
        blurred
    }

    /// The value at a pixel of the window; 0 outside.
    pub fn at(&self, x: isize, y: isize) -> f32 {
        let inside = (0..self.width as isize).contains(&x) && (0..self.height as isize).contains(&y);
        if inside { self.values[y as usize * self.width + x as usize] } else { 0.0 }
    }
}

/// Means over `2 radius + 1` pixels of each row; outside is 0.
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
    let mut turned = Vec::with_capacity(values.len());
    for x in 0..width {
        turned.extend((0..height).map(|y| values[y * width + x]));
    }
    turned
}

#[cfg(test)]
mod tests {
    use resvg::tiny_skia::{PathBuilder, Rect};

    use super::*;

    #[test]
    fn a_blurred_cover_keeps_its_area_and_loses_its_edge() {
        let path = PathBuilder::from_rect(Rect::from_ltrb(100.0, 80.0, 160.0, 130.0).unwrap());
        let cover = Cover::of(&[&path], Transform::identity(), 40).unwrap();
        let blurred = cover.blurred(9);
        let area = |cover: &Cover| cover.values.iter().sum::<f32>();
        assert_eq!(area(&cover), 60.0 * 50.0);
        // 11,000 sums of 19 numbers each, four times over, in single precision.
        assert!((area(&blurred) - 3000.0).abs() < 1.0, "{}", area(&blurred));
        // The window starts at (59, 39): this is the left edge's middle, where half is covered.
        assert_eq!((cover.at(40, 65), cover.at(41, 65)), (0.0, 1.0));
        let edge = 0.5 * (blurred.at(40, 65) + blurred.at(41, 65));
        assert!((edge - 0.5).abs() < 1e-3, "{edge}");
    }

    #[test]
    fn what_lies_outside_covers_nothing() {
        let path = PathBuilder::from_circle(700.0, 90.0, 30.0).unwrap();
        assert!(Cover::of(&[&path], Transform::identity(), 10).is_none());
    }
}
