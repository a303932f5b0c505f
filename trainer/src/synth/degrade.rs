//! Known degradations of known strength, and the perception score that follows.
//!
//! Perception is `5 × Π (1 − strength)` over an image's degradations. Each kind's strength is read from a
//! table whose columns look equally bad: compared by eye on contact sheets at native size.

use std::io::Cursor;

use anyhow::{Context, Result};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};

use crate::synth::SIDE;
use crate::synth::canvas::Canvas;
use crate::synth::draw::Draw;
use crate::synth::obey::SCALE;
use crate::synth::texture::Field;

/// What goes wrong in generated images, in the order in which it is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// Smooth displacement that bends edges.
    Warp,
    /// Cells that show another place's content.
    BrokenTexture,
    /// Gaussian blur.
    Blur,
    /// Few levels a channel.
    Banding,
    /// Independent errors of pixels.
    Noise,
    /// JPEG at low quality.
    Compression,
}

/// A defect and how strong it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Degradation {
    /// What is wrong.
    pub defect: Defect,
    /// In [0, 1]: 0 is about where one begins to see it, 1 as bad as the scale goes.
    pub strength: f32,
}

/// A parameter at strengths 0, ¼, ½, ¾ and 1; between them it is linear. At 0 it starts to be visible.
type Curve = [f32; 5];

/// Displacement in pixels: two thirds of all pixels move less along each axis.
const WARP: Curve = [0.5, 2.2, 4.5, 8.0, 13.0];
/// Share of cells that are replaced.
const BROKEN: Curve = [0.01, 0.14, 0.34, 0.62, 1.0];
/// Standard deviation in pixels.
const BLUR: Curve = [0.5, 1.1, 2.1, 3.6, 6.0];
/// Distance of two levels, of 256.
const BANDING: Curve = [8.0, 24.0, 44.0, 72.0, 110.0];
/// Standard deviation, in levels of 256.
const NOISE: Curve = [3.0, 14.0, 31.0, 55.0, 90.0];
/// JPEG quality.
const COMPRESSION: Curve = [50.0, 16.0, 9.0, 5.0, 2.0];

/// Sides of the cells that broken texture swaps, in pixels.
const CELLS: [usize; 3] = [16, 20, 24];

/// How much lighter or darker a replaced cell can be, so that seams show in even areas too.
const SEAM: f32 = 24.0;

/// A blur is cut off at this many standard deviations.
const BLUR_REACH: f32 = 2.6;

impl Defect {
    /// All defects, in the order in which they are applied.
    pub const ALL: [Self; 6] =
        [Self::Warp, Self::BrokenTexture, Self::Blur, Self::Banding, Self::Noise, Self::Compression];
}

/// The perception score in [0, 5], before the raters' noise.
pub fn quality(degradations: &[Degradation]) -> f32 {
    SCALE * degradations.iter().map(|degradation| 1.0 - degradation.strength).product::<f32>()
}

/// Degradations, one or two, that make exactly this quality.
pub fn degradations(quality: f32, draw: &mut Draw) -> Vec<Degradation> {
    let mut defects = Defect::ALL;
    draw.shuffle(&mut defects);
    let kept = quality / SCALE;
    if draw.chance(0.5) {
        return vec![Degradation { defect: defects[0], strength: 1.0 - kept }];
    }
    // The first takes a part of the loss, the second the rest: (1 − a)(1 − b) = kept.
    let first = draw.range(0.2, 0.8) * (1.0 - kept);
    let mut both = [
        Degradation { defect: defects[0], strength: first },
        Degradation { defect: defects[1], strength: 1.0 - kept / (1.0 - first) },
    ];
    both.sort_by_key(|degradation| degradation.defect);
    both.to_vec()
}

/// Applies one degradation.
///
/// # Errors
/// When JPEG data that was just written cannot be read.
pub fn apply(canvas: Canvas, degradation: Degradation, draw: &mut Draw) -> Result<Canvas> {
    let Degradation { defect, strength } = degradation;
    Ok(match defect {
        Defect::Warp => warp(&canvas, at(WARP, strength), draw),
        Defect::BrokenTexture => break_texture(&canvas, at(BROKEN, strength), draw),
        Defect::Blur => blur(&canvas, at(BLUR, strength)),
        Defect::Banding => band(canvas, at(BANDING, strength), draw),
        Defect::Noise => add_noise(canvas, at(NOISE, strength), draw),
        Defect::Compression => compress(&canvas, at(COMPRESSION, strength))?,
    })
}

/// A JPEG of 8-bit pixels.
///
/// # Errors
/// When the encoder fails, which it has no reason to.
pub fn jpeg(pixels: &[u8], quality: u8) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, quality)
        .encode(pixels, SIDE as u32, SIDE as u32, ExtendedColorType::Rgb8)
        .context("encoding a JPEG")?;
    Ok(bytes)
}

fn at(curve: Curve, strength: f32) -> f32 {
    let place = strength.clamp(0.0, 1.0) * (curve.len() - 1) as f32;
    let left = (place as usize).min(curve.len() - 2);
    curve[left] + (curve[left + 1] - curve[left]) * (place - left as f32)
}

fn warp(canvas: &Canvas, reach: f32, draw: &mut Draw) -> Canvas {
    let (across, down) = (Field::draw(draw, 0.35, 0.0), Field::draw(draw, 0.35, 0.0));
    // The fields' bumps are SIDE / 4 wide; read this much faster, they bend edges in every window.
    let pace = draw.range(3.0, 5.0);
    let last = (SIDE - 1) as f32;
    let mut bent = Canvas::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let (u, v) = (x as f32 * pace, y as f32 * pace);
            let from_x = (x as f32 + reach * across.between(u, v)).clamp(0.0, last);
            let from_y = (y as f32 + reach * down.between(u, v)).clamp(0.0, last);
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

fn break_texture(canvas: &Canvas, share: f32, draw: &mut Draw) -> Canvas {
    let cell = draw.pick(&CELLS);
    let mut broken = canvas.clone();
    let shift = draw.below(cell);
    let cells = SIDE / cell + 1;
    for row in 0..cells {
        for column in 0..cells {
            if !draw.chance(share) {
                continue;
            }
            // Content from up to four cells away, mirrored half of the time.
            let mut source = |start: usize| {
                let moved = start as isize + (draw.below(8 * cell) as isize - 4 * cell as isize);
                moved.clamp(0, (SIDE - cell) as isize) as usize
            };
            let (left, top) = ((column * cell).saturating_sub(shift), (row * cell).saturating_sub(shift));
            let (from_x, from_y) = (source(left), source(top));
            let (mirror, upturn) = (draw.chance(0.5), draw.chance(0.5));
            let lighter = draw.range(-SEAM, SEAM);
            for y in 0..cell.min(SIDE.saturating_sub(top)) {
                for x in 0..cell.min(SIDE.saturating_sub(left)) {
                    let sx = from_x + if mirror { cell - 1 - x } else { x };
                    let sy = from_y + if upturn { cell - 1 - y } else { y };
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

fn blur(canvas: &Canvas, sigma: f32) -> Canvas {
    let radius = (BLUR_REACH * sigma).ceil() as usize;
    if radius == 0 {
        return canvas.clone();
    }
    let kernel = gaussian(sigma, radius);
    let row_length = 3 * SIDE;
    // Down the columns: whole rows are added, which vectorises.
    let mut down = vec![0.0; canvas.0.len()];
    for (y, new) in down.chunks_exact_mut(row_length).enumerate() {
        for (k, weight) in kernel.iter().enumerate() {
            let from = (y + k).saturating_sub(radius).min(SIDE - 1);
            for (new, old) in new.iter_mut().zip(&canvas.0[from * row_length..][..row_length]) {
                *new += weight * old;
            }
        }
    }
    // Along the rows: each row is widened by its edge pixels, then added shifted.
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

fn band(mut canvas: Canvas, step: f32, draw: &mut Draw) -> Canvas {
    // Where the levels lie is chance, or the strongest banding would leave the same colours always.
    let start = step * draw.range(0.2, 0.8);
    for value in &mut canvas.0 {
        *value = ((value.clamp(0.0, 255.0) - start) / step).round() * step + start;
    }
    canvas
}

fn add_noise(mut canvas: Canvas, deviation: f32, draw: &mut Draw) -> Canvas {
    // Mostly brightness, a little colour, as sensors and unfinished diffusion have; the squares sum to 1.
    let (shared, own) = (0.8 * deviation, 0.6 * deviation);
    for pixel in canvas.0.chunks_exact_mut(3) {
        let brightness = shared * draw.normal();
        for value in pixel {
            *value = value.clamp(0.0, 255.0) + brightness + own * draw.normal();
        }
    }
    canvas
}

fn compress(canvas: &Canvas, quality: f32) -> Result<Canvas> {
    let bytes = jpeg(&canvas.to_bytes(), quality.round() as u8)?;
    let image = image::ImageReader::with_format(Cursor::new(bytes), ImageFormat::Jpeg);
    Ok(Canvas::from_bytes(image.decode().context("decoding a JPEG that was just encoded")?.to_rgb8().as_raw()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synth::draw::Purpose;
    use crate::synth::render::render;
    use crate::synth::scene::{Light, Prompt, Style};

    /// Root mean square of the change.
    fn change(clean: &Canvas, degraded: &Canvas) -> f32 {
        let (clean, degraded) = (clean.to_bytes(), degraded.to_bytes());
        let squares = clean.iter().zip(&degraded).map(|(a, b)| f32::from(a.abs_diff(*b)).powi(2));
        (squares.sum::<f32>() / clean.len() as f32).sqrt()
    }

    #[test]
    fn quality_falls_with_every_strength() {
        let degradation = |strength| Degradation { defect: Defect::Blur, strength };
        assert_eq!((quality(&[]), quality(&[degradation(1.0)])), (5.0, 0.0));
        for first in [0.0, 0.3, 0.6] {
            for second in [0.0, 0.3, 0.6] {
                let base = quality(&[degradation(first), degradation(second)]);
                assert!(base > quality(&[degradation(first + 0.1), degradation(second)]));
                assert!(base > quality(&[degradation(first), degradation(second + 0.1)]));
            }
        }
    }

    #[test]
    fn degradations_make_the_quality_that_is_asked_for() {
        let mut draw = Draw::new(2, Purpose::Plan, 0);
        for i in 0..200 {
            let asked = 5.0 * i as f32 / 199.0;
            let degradations = degradations(asked, &mut draw);
            assert!((quality(&degradations) - asked).abs() < 1e-4, "{asked} {degradations:?}");
            assert!(degradations.iter().all(|degradation| (0.0..=1.0).contains(&degradation.strength)));
            assert!(degradations.windows(2).all(|pair| pair[0].defect < pair[1].defect), "{degradations:?}");
        }
    }

    #[test]
    fn a_stronger_defect_changes_the_image_more() {
        let mut draw = Draw::new(4, Purpose::Pixels, 0);
        let scene = Prompt::draw(&mut Draw::new(4, Purpose::Prompt, 0)).scene;
        let clean = render(&scene, Style::Any, Light::Any, &mut draw);
        for defect in Defect::ALL {
            let changes = [0.0, 0.25, 0.5, 0.75, 1.0].map(|strength| {
                // The same random numbers each time: only the strength differs.
                let mut draw = Draw::new(4, Purpose::Pixels, 1);
                change(&clean, &apply(clean.clone(), Degradation { defect, strength }, &mut draw).unwrap())
            });
            assert!(changes.windows(2).all(|pair| pair[1] > pair[0]), "{defect:?} {changes:?}");
        }
    }

    #[test]
    fn blur_keeps_even_areas_and_edges() {
        let even = Canvas(vec![100.0; 3 * SIDE * SIDE]);
        let blurred = blur(&even, 3.0);
        // 17 products in single precision.
        assert!(blurred.0.iter().all(|value| (value - 100.0).abs() < 1e-3));
    }
}
