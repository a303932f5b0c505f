//! Degradations of known strength, and the perception score that follows from them.
//!
//! ```text
//! perception = 5 · Π (1 − strength)   over the degradations of an image
//! ```
//!
//! Equal strengths of different defects look equally bad. Their parameters were chosen by eye, on contact sheets at
//! full size.

use anyhow::Result;

use crate::alignment::SCALE;
use crate::canvas::Canvas;
use crate::defects::{add_noise, band, blur, break_texture, compress, warp};
use crate::random::RandomStream;

/// A defect of generated images. Defects are applied in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// Smooth displacement that bends edges.
    Warp,
    /// Cells with content from other places.
    BrokenTexture,
    /// Gaussian blur.
    Blur,
    /// Few levels per channel.
    Banding,
    /// Independent noise of pixels.
    Noise,
    /// JPEG at low quality.
    Compression,
}

/// A defect with its strength.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Degradation {
    /// The defect.
    pub defect: Defect,
    /// Strength in [0, 1]. At 0 the defect is barely visible, at 1 it is as bad as the scale allows.
    pub strength: f32,
}

/// The parameter of a defect at strengths 0, ¼, ½, ¾ and 1, interpolated linearly between them.
type Curve = [f32; 5];

/// Displacement in pixels that two thirds of all pixels stay below, along each axis.
const WARP: Curve = [0.5, 2.2, 4.5, 8.0, 13.0];
/// Share of cells that are replaced.
const BROKEN: Curve = [0.01, 0.14, 0.34, 0.62, 1.0];
/// Standard deviation of the blur, in pixels.
const BLUR: Curve = [0.5, 1.1, 2.1, 3.6, 6.0];
/// Distance of two levels, in levels of 256.
const BANDING: Curve = [8.0, 24.0, 44.0, 72.0, 110.0];
/// Standard deviation of the noise, in levels of 256.
const NOISE: Curve = [3.0, 14.0, 31.0, 55.0, 90.0];
/// JPEG quality.
const COMPRESSION: Curve = [50.0, 16.0, 9.0, 5.0, 2.0];

impl Defect {
    /// All defects, in the order in which they are applied.
    pub const ALL: [Self; 6] =
        [Self::Warp, Self::BrokenTexture, Self::Blur, Self::Banding, Self::Noise, Self::Compression];
}

/// The perception score in [0, 5], without the noise of raters.
pub fn quality(degradations: &[Degradation]) -> f32 {
    SCALE * degradations.iter().map(|degradation| 1.0 - degradation.strength).product::<f32>()
}

/// Random degradations whose [`quality`] is the given one. There are three, because bad images have several defects.
pub fn degradations(quality: f32, random: &mut RandomStream) -> Vec<Degradation> {
    let mut defects = Defect::ALL;
    random.shuffle(&mut defects);
    let mut kept = quality / SCALE;
    // The first two degradations take a share of the loss, and the third takes the rest, so that Π (1 − strength) is
    // the quality.
    let mut take = |part: f32| {
        let strength = part * (1.0 - kept);
        kept = if strength < 1.0 { kept / (1.0 - strength) } else { 0.0 };
        strength
    };
    let parts = [random.range(0.15, 0.5), random.range(0.3, 0.7), 1.0];
    let degradation = |(defect, part)| Degradation { defect, strength: take(part) };
    let mut degradations: Vec<Degradation> = defects.into_iter().zip(parts).map(degradation).collect();
    degradations.sort_by_key(|degradation| degradation.defect);
    degradations
}

/// Applies a degradation.
///
/// # Errors
/// Fails if encoded JPEG data cannot be decoded.
pub fn apply(canvas: Canvas, degradation: Degradation, random: &mut RandomStream) -> Result<Canvas> {
    let Degradation { defect, strength } = degradation;
    Ok(match defect {
        Defect::Warp => warp(&canvas, interpolate(WARP, strength), random),
        Defect::BrokenTexture => break_texture(&canvas, interpolate(BROKEN, strength), random),
        Defect::Blur => blur(&canvas, interpolate(BLUR, strength)),
        Defect::Banding => band(canvas, interpolate(BANDING, strength), random),
        Defect::Noise => add_noise(canvas, interpolate(NOISE, strength), random),
        Defect::Compression => compress(&canvas, interpolate(COMPRESSION, strength))?,
    })
}

fn interpolate(curve: Curve, strength: f32) -> f32 {
    let position = strength.clamp(0.0, 1.0) * (curve.len() - 1) as f32;
    let left = (position as usize).min(curve.len() - 2);
    curve[left] + (curve[left + 1] - curve[left]) * (position - left as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::{Light, Prompt, Style};
    use crate::random::Purpose;
    use crate::render::render;

    /// Root mean square of the differences.
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
        let mut random = RandomStream::new(2, Purpose::Plan, 0);
        for i in 0..200 {
            let asked = 5.0 * i as f32 / 199.0;
            let degradations = degradations(asked, &mut random);
            assert!((quality(&degradations) - asked).abs() < 1e-4, "{asked} {degradations:?}");
            assert!(degradations.iter().all(|degradation| (0.0..=1.0).contains(&degradation.strength)));
            assert!(degradations.windows(2).all(|pair| pair[0].defect < pair[1].defect), "{degradations:?}");
        }
    }

    #[test]
    fn a_stronger_defect_changes_the_image_more() {
        let mut random = RandomStream::new(4, Purpose::Pixels, 0);
        let scene = Prompt::sample(&mut RandomStream::new(4, Purpose::Prompt, 0)).scene;
        let clean = render(&scene, Style::Any, Light::Any, &mut random);
        for defect in Defect::ALL {
            let changes = [0.0, 0.25, 0.5, 0.75, 1.0].map(|strength| {
                // Each strength gets the same random numbers.
                let mut random = RandomStream::new(4, Purpose::Pixels, 1);
                change(&clean, &apply(clean.clone(), Degradation { defect, strength }, &mut random).unwrap())
            });
            assert!(changes.windows(2).all(|pair| pair[1] > pair[0]), "{defect:?} {changes:?}");
        }
    }
}
