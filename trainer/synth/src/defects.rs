//! The defects of images, as operations on pixels.

use std::io::Cursor;

use anyhow::{Context, Result};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};

use crate::canvas::{Canvas, SIDE};
use crate::random::RandomStream;
use crate::texture::Field;

/// Sides of the cells that [`break_texture`] replaces, in pixels.
const CELLS: [usize; 3] = [16, 20, 24];

/// Largest change of the brightness of a replaced cell. It makes seams visible in even areas too.
const SEAM: f32 = 24.0;

/// Radius of a blur, in standard deviations.
const BLUR_REACH: f32 = 2.6;

/// Displaces every pixel smoothly. Two thirds of the pixels move by less than `reach` pixels along each axis.
pub fn warp(canvas: &Canvas, reach: f32, random: &mut RandomStream) -> Canvas {
    let (across, down) = (Field::sample(random, 0.35, 0.0), Field::sample(random, 0.35, 0.0));
    // The bumps of the fields are SIDE / 4 wide. Reading the fields faster by this factor makes bumps that bend edges
    // in every crop.
    let pace = random.range(3.0, 5.0);
    let last = (SIDE - 1) as f32;
    let mut bent = Canvas::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (u, v) = (x as f32 * pace, y as f32 * pace);
            let from_x = (x as f32 + reach * across.interpolated(u, v)).clamp(0.0, last);
            let from_y = (y as f32 + reach * down.interpolated(u, v)).clamp(0.0, last);
            let (left, top) = (from_x as usize, from_y as usize);
            let (right, bottom) = ((left + 1).min(SIDE - 1), (top + 1).min(SIDE - 1));
            let (a, b) = (from_x - left as f32, from_y - top as f32);
            let pixel = |x: usize, y: usize| &canvas.0[3 * (y * SIDE + x)..][..3];
            let corners = [pixel(left, top), pixel(right, top), pixel(left, bottom), pixel(right, bottom)];
            for (channel, value) in bent.at(x, y).iter_mut().enumerate() {
                let [tl, tr, bl, br] = corners.map(|corner| corner[channel]);
                let (upper, lower) = (tl + (tr - tl) * a, bl + (br - bl) * a);
                *value = upper + (lower - upper) * b;
            }
        }
    }
    bent
}

/// Replaces a share of all cells, in [0, 1], by content from other places.
pub fn break_texture(canvas: &Canvas, share: f32, random: &mut RandomStream) -> Canvas {
    let cell = random.pick(&CELLS);
    let mut broken = canvas.clone();
    let shift = random.below(cell);
    let cells = SIDE / cell + 1;
    for row in 0..cells {
        for column in 0..cells {
            if !random.chance(share) {
                continue;
            }
            // The content comes from up to four cells away.
            let mut source = |start: usize| {
                let moved = start as isize + (random.below(8 * cell) as isize - 4 * cell as isize);
                moved.clamp(0, (SIDE - cell) as isize) as usize
            };
            let (left, top) = ((column * cell).saturating_sub(shift), (row * cell).saturating_sub(shift));
            let (from_x, from_y) = (source(left), source(top));
            let (mirror, flip) = (random.chance(0.5), random.chance(0.5));
            let lighter = random.range(-SEAM, SEAM);
            for y in 0..cell.min(SIDE.saturating_sub(top)) {
                for x in 0..cell.min(SIDE.saturating_sub(left)) {
                    let sx = from_x + if mirror { cell - 1 - x } else { x };
                    let sy = from_y + if flip { cell - 1 - y } else { y };
                    let start = 3 * (sy * SIDE + sx);
                    for (new, old) in broken.at(left + x, top + y).iter_mut().zip(&canvas.0[start..]) {
                        *new = old + lighter;
                    }
                }
            }
        }
    }
    broken
}

/// Blurs with a Gaussian of this standard deviation in pixels.
pub fn blur(canvas: &Canvas, sigma: f32) -> Canvas {
    let radius = (BLUR_REACH * sigma).ceil() as usize;
    if radius == 0 {
        return canvas.clone();
    }
    let kernel = gaussian(sigma, radius);
    let row_length = 3 * SIDE;
    // Vertical pass: it adds whole rows, which the compiler vectorises.
    let mut down = vec![0.0; canvas.0.len()];
    for (y, new) in down.chunks_exact_mut(row_length).enumerate() {
        for (k, weight) in kernel.iter().enumerate() {
            let from = (y + k).saturating_sub(radius).min(SIDE - 1);
            for (new, old) in new.iter_mut().zip(&canvas.0[from * row_length..][..row_length]) {
                *new += weight * old;
            }
        }
    }
    // Horizontal pass: each row is padded with its edge pixels, then added at each shift.
    let mut along = vec![0.0; down.len()];
    let mut wide = Vec::with_capacity(row_length + 6 * radius);
    for (row, new) in down.chunks_exact(row_length).zip(along.chunks_exact_mut(row_length)) {
        wide.clear();
        (0..radius).for_each(|_| wide.extend_from_slice(&row[..3]));
        wide.extend_from_slice(row);
        (0..radius).for_each(|_| wide.extend_from_slice(&row[row_length - 3..]));
        for (k, weight) in kernel.iter().enumerate() {
            for (new, old) in new.iter_mut().zip(&wide[3 * k..]) {
                *new += weight * old;
            }
        }
    }
    Canvas(along)
}

fn gaussian(sigma: f32, radius: usize) -> Vec<f32> {
    let weight = |k: usize| {
        let distance = (k as f32 - radius as f32) / sigma;
        (-0.5 * distance * distance).exp()
    };
    let kernel: Vec<f32> = (0..=2 * radius).map(weight).collect();
    let sum: f32 = kernel.iter().sum();
    kernel.into_iter().map(|weight| weight / sum).collect()
}

/// Rounds every channel to levels that are `step` apart.
pub fn band(mut canvas: Canvas, step: f32, random: &mut RandomStream) -> Canvas {
    // The offset of the levels is random. Otherwise the strongest banding would always leave the same colours.
    let start = step * random.range(0.2, 0.8);
    for value in &mut canvas.0 {
        *value = ((value.clamp(0.0, 255.0) - start) / step).round() * step + start;
    }
    canvas
}

/// Adds noise of this standard deviation, in levels of 256.
pub fn add_noise(mut canvas: Canvas, deviation: f32, random: &mut RandomStream) -> Canvas {
    // The noise is mostly brightness with a little colour, as in sensors and unfinished diffusion. The squares of the
    // factors sum to 1.
    let (shared, own) = (0.8 * deviation, 0.6 * deviation);
    for pixel in canvas.0.chunks_exact_mut(3) {
        let brightness = shared * random.normal();
        for value in pixel {
            *value = value.clamp(0.0, 255.0) + brightness + own * random.normal();
        }
    }
    canvas
}

/// Encodes as JPEG of this quality and decodes again.
///
/// # Errors
/// Fails if the encoded data cannot be decoded.
pub fn compress(canvas: &Canvas, quality: f32) -> Result<Canvas> {
    let bytes = jpeg(&canvas.to_bytes(), quality.round() as u8)?;
    let image = image::ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    Ok(Canvas::from_bytes(image.decode().context("decoding a JPEG that was just encoded")?.to_rgb8().as_raw()))
}

/// Encodes 8-bit RGB pixels as JPEG.
///
/// # Errors
/// Fails if the encoder fails.
pub fn jpeg(pixels: &[u8], quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(pixels, SIDE as u32, SIDE as u32, ExtendedColorType::Rgb8)
        .context("encoding a JPEG")?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blur_keeps_even_areas_and_edges() {
        let even = Canvas(vec![100.0; 3 * SIDE * SIDE]);
        let blurred = blur(&even, 3.0);
        // Rounding errors of 17 products in single precision.
        assert!(blurred.0.iter().all(|value| (value - 100.0).abs() < 1e-3));
    }
}
