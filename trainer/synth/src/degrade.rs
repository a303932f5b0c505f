//! Degradations of known strength, and the perception score that follows from them.
//!
//! ```text
//! perception = 5 · Π (1 − strength)   over the degradations of an image
//! ```
//!
//! Equal strengths of different defects look equally bad. Their parameters were chosen by eye, on contact sheets at
//! full size. KADID-10k (Lin et al. 2019), whose people rated five levels of each defect from "imperceptible" to "very
//! annoying", has its levels of blur and JPEG in the same order over the same range, as a test checks.

use anyhow::Result;

use crate::alignment::SCALE;
use crate::canvas::Canvas;
use crate::defects::{add_noise, band, blur, break_texture, compress, warp};
use crate::filters::{checker, enlarge, sharpen, smear, tint};
use crate::random::RandomStream;

/// A defect of generated images or of pictures on the web. Defects are applied in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Defect {
    /// A wrong colour of the whole image.
    Tint,
    /// Smooth displacement that bends edges.
    Warp,
    /// Cells with content from other places.
    BrokenTexture,
    /// Smeared detail, as after denoising.
    Smear,
    /// Gaussian blur.
    Blur,
    /// Enlarged from a small image.
    Enlargement,
    /// Ringing edges.
    Sharpening,
    /// A fine checkerboard.
    Checkerboard,
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
/// Factor of an enlargement. Reducing by a factor f and enlarging again are two means over f pixels. Together they have
/// the variance (f² − 1) / 6, so that f = √(6 σ² + 1) blurs as much as the σ of [`BLUR`].
const ENLARGEMENT: Curve = [1.6, 2.9, 5.2, 8.9, 14.7];
/// Multiple of the difference from a blurred copy that is added. KADID-10k's levels are 1, 2, 3, 6 and 12.
const SHARPENING: Curve = [0.5, 2.0, 4.0, 8.0, 16.0];
/// Radius of the squares of a Kuwahara filter, in pixels.
const SMEAR: Curve = [0.3, 1.2, 2.6, 4.6, 8.0];
/// Amplitude of a checkerboard, in levels of 256. Its standard deviation is the amplitude, and a pattern is seen more
/// easily than noise.
const CHECKERBOARD: Curve = [1.5, 8.0, 18.0, 34.0, 60.0];
/// Distance of two channels that move apart, in levels of 256.
const TINT: Curve = [8.0, 40.0, 80.0, 130.0, 200.0];

impl Defect {
    /// The defects of drawn scenes, in the order in which they are applied.
    pub const OF_SCENES: [Self; 6] =
        [Self::Warp, Self::BrokenTexture, Self::Blur, Self::Banding, Self::Noise, Self::Compression];

    /// The defects of pictures: all, in the order in which they are applied.
    pub const OF_PICTURES: [Self; 11] = [
        Self::Tint,
        Self::Warp,
        Self::BrokenTexture,
        Self::Smear,
        Self::Blur,
        Self::Enlargement,
        Self::Sharpening,
        Self::Checkerboard,
        Self::Banding,
        Self::Noise,
        Self::Compression,
    ];

    /// The parameter at strengths 0, ¼, ½, ¾ and 1.
    fn curve(self) -> Curve {
        match self {
            Self::Tint => TINT,
            Self::Warp => WARP,
            Self::BrokenTexture => BROKEN,
            Self::Smear => SMEAR,
            Self::Blur => BLUR,
            Self::Enlargement => ENLARGEMENT,
            Self::Sharpening => SHARPENING,
            Self::Checkerboard => CHECKERBOARD,
            Self::Banding => BANDING,
            Self::Noise => NOISE,
            Self::Compression => COMPRESSION,
        }
    }
}

/// The perception score in [0, 5], without the noise of raters.
pub fn quality(degradations: &[Degradation]) -> f32 {
    SCALE * degradations.iter().map(|degradation| 1.0 - degradation.strength).product::<f32>()
}

/// Random degradations of a drawn scene whose [`quality`] is the given one. There are three, because bad images have
/// several defects.
pub fn of_scene(quality: f32, random: &mut RandomStream) -> Vec<Degradation> {
    degradations(quality, Defect::OF_SCENES, 3, random)
}

/// One to three random degradations of a picture whose [`quality`] is the given one.
pub fn of_picture(quality: f32, random: &mut RandomStream) -> Vec<Degradation> {
    let count = 1 + random.below(3);
    degradations(quality, Defect::OF_PICTURES, count, random)
}

/// One to three random degradations out of `defects` whose [`quality`] is the given one.
fn degradations<const N: usize>(
    quality: f32,
    mut defects: [Defect; N],
    count: usize,
    random: &mut RandomStream,
) -> Vec<Degradation> {
    random.shuffle(&mut defects);
    // The last degradation may take the whole loss. A wrong colour alone does not make an image bad.
    if defects[count - 1] == Defect::Tint {
        defects.swap(count - 1, N - 1);
    }
    let mut kept = quality / SCALE;
    // The last degradation takes what the others leave of the loss, so that Π (1 − strength) is the quality.
    let mut take = |part: f32| {
        let strength = part * (1.0 - kept);
        kept = if strength < 1.0 { kept / (1.0 - strength) } else { 0.0 };
        strength
    };
    let parts = [random.range(0.15, 0.5), random.range(0.3, 0.7), 1.0];
    let degradation = |(defect, &part)| Degradation { defect, strength: take(part) };
    let mut degradations: Vec<Degradation> =
        defects.into_iter().zip(&parts[parts.len() - count..]).map(degradation).collect();
    degradations.sort_by_key(|degradation| degradation.defect);
    degradations
}

/// Applies a degradation.
///
/// # Errors
/// Fails if the image cannot be resized, or if encoded JPEG data cannot be decoded.
pub fn apply(canvas: Canvas, degradation: Degradation, random: &mut RandomStream) -> Result<Canvas> {
    let amount = interpolate(degradation.defect.curve(), degradation.strength);
    Ok(match degradation.defect {
        Defect::Tint => tint(canvas, amount, random),
        Defect::Warp => warp(&canvas, amount, random),
        Defect::BrokenTexture => break_texture(&canvas, amount, random),
        Defect::Smear => smear(&canvas, amount),
        Defect::Blur => blur(&canvas, amount),
        Defect::Enlargement => enlarge(&canvas, amount, random)?,
        Defect::Sharpening => sharpen(&canvas, amount),
        Defect::Checkerboard => checker(canvas, amount, random),
        Defect::Banding => band(canvas, amount, random),
        Defect::Noise => add_noise(canvas, amount, random),
        Defect::Compression => compress(&canvas, amount)?,
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
            for degradations in [of_scene(asked, &mut random), of_picture(asked, &mut random)] {
                assert!((quality(&degradations) - asked).abs() < 1e-4, "{asked} {degradations:?}");
                assert!(degradations.iter().all(|degradation| (0.0..=1.0).contains(&degradation.strength)));
                assert!(degradations.iter().all(|d| d.defect != Defect::Tint || d.strength < 0.75), "{degradations:?}");
                assert!(degradations.windows(2).all(|pair| pair[0].defect < pair[1].defect), "{degradations:?}");
            }
        }
    }

    #[test]
    fn a_stronger_defect_changes_the_image_more() {
        let mut random = RandomStream::new(4, Purpose::Pixels, 0);
        let scene = Prompt::sample(&mut RandomStream::new(4, Purpose::Prompt, 0)).scene;
        let clean = render(&scene, Style::Any, Light::Any, &mut random);
        for defect in Defect::OF_PICTURES {
            let changes = [0.0, 0.25, 0.5, 0.75, 1.0].map(|strength| {
                // Each strength gets the same random numbers.
                let mut random = RandomStream::new(4, Purpose::Pixels, 1);
                change(&clean, &apply(clean.clone(), Degradation { defect, strength }, &mut random).unwrap())
            });
            assert!(changes.windows(2).all(|pair| pair[1] > pair[0]), "{defect:?} {changes:?}");
        }
    }

    #[test]
    fn a_small_amount_of_a_filter_leaves_the_image_nearly_as_it_is() {
        let scene = Prompt::sample(&mut RandomStream::new(4, Purpose::Prompt, 0)).scene;
        let clean = render(&scene, Style::Any, Light::Any, &mut RandomStream::new(4, Purpose::Pixels, 0));
        let random = &mut RandomStream::new(4, Purpose::Pixels, 1);
        let none = [
            enlarge(&clean, 1.0, random).unwrap(),
            sharpen(&clean, 0.0),
            smear(&clean, 0.0),
            checker(clean.clone(), 0.0, random),
            tint(clean.clone(), 0.0, random),
        ];
        // Half a level: values are rounded to bytes, and those outside the range are clipped.
        assert!(none.iter().all(|image| change(&clean, image) < 0.5));
    }

    #[test]
    fn the_levels_of_kadid_10k_fall_in_quality_over_most_of_the_scale() {
        // The standard deviations of blur and the JPEG qualities of levels 1 to 5, from the data set's code.
        let levels = [(Defect::Blur, [0.1, 0.5, 1.0, 2.0, 5.0]), (Defect::Compression, [43.0, 36.0, 24.0, 7.0, 4.0])];
        for (defect, amounts) in levels {
            let strength = |amount: f32| {
                let curve = defect.curve();
                let steps = (0..=1000).map(|step| step as f32 / 1000.0);
                let distance = |strength: f32| (interpolate(curve, strength) - amount).abs();
                steps.min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap()
            };
            let strengths = amounts.map(strength);
            assert!(strengths.windows(2).all(|pair| pair[0] <= pair[1]), "{defect:?} {strengths:?}");
            assert!(strengths[1] < 0.2 && strengths[3] > 0.4 && strengths[4] > 0.8, "{defect:?} {strengths:?}");
        }
    }
}
