//! Known degradations of known strength, and the perception score that follows.
//!
//! Perception is `5 × Π (1 − strength)` over an image's degradations. Each kind's strength is read from a
//! table whose columns look equally bad: compared by eye on contact sheets at native size.

use anyhow::Result;

use crate::canvas::Canvas;
use crate::defects::{add_noise, band, blur, break_texture, compress, warp};
use crate::draw::Draw;
use crate::obey::SCALE;

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

impl Defect {
    /// All defects, in the order in which they are applied.
    pub const ALL: [Self; 6] =
        [Self::Warp, Self::BrokenTexture, Self::Blur, Self::Banding, Self::Noise, Self::Compression];
}

/// The perception score in [0, 5], before the raters' noise.
pub fn quality(degradations: &[Degradation]) -> f32 {
    SCALE * degradations.iter().map(|degradation| 1.0 - degradation.strength).product::<f32>()
}

/// Degradations that together make exactly this quality: what generates badly does so in several ways.
pub fn degradations(quality: f32, draw: &mut Draw) -> Vec<Degradation> {
    let mut defects = Defect::ALL;
    draw.shuffle(&mut defects);
    let mut kept = quality / SCALE;
    // The first two take a part of the loss, the third the rest: Π (1 − strength) = kept.
    let mut lose = |part: f32| {
        let strength = part * (1.0 - kept);
        kept = if strength < 1.0 { kept / (1.0 - strength) } else { 0.0 };
        strength
    };
    let parts = [draw.range(0.15, 0.5), draw.range(0.3, 0.7), 1.0];
    let degradation = |(defect, part)| Degradation { defect, strength: lose(part) };
    let mut degradations: Vec<Degradation> = defects.into_iter().zip(parts).map(degradation).collect();
    degradations.sort_by_key(|degradation| degradation.defect);
    degradations
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

fn at(curve: Curve, strength: f32) -> f32 {
    let place = strength.clamp(0.0, 1.0) * (curve.len() - 1) as f32;
    let left = (place as usize).min(curve.len() - 2);
    curve[left] + (curve[left + 1] - curve[left]) * (place - left as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Purpose;
    use crate::prompt::{Light, Prompt, Style};
    use crate::render::render;

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
}
