//! The defects of pictures on the web and of generators, as filters over all pixels. All keep the image at their smallest
//! amount.

use anyhow::{Context, Result};
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::F32x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::canvas::{Canvas, SIDE};
use crate::defects::blur;
use crate::random::RandomStream;

/// Filters that programs enlarge images with.
const ENLARGING: [FilterType; 4] =
    [FilterType::Box, FilterType::Bilinear, FilterType::CatmullRom, FilterType::Lanczos3];

/// Standard deviation in pixels of the blur that [`sharpen`] subtracts: MATLAB's `imsharpen`, which KADID-10k used.
const SHARPEN_SIGMA: f32 = 1.0;

/// Reduces the image by a factor and enlarges it again, as a page or a generator does with a small image.
///
/// # Errors
/// Fails if the image cannot be resized.
pub fn enlarge(canvas: &Canvas, factor: f32, random: &mut RandomStream) -> Result<Canvas> {
    let filter = random.pick(&ENLARGING);
    let small = ((SIDE as f32 / factor).round() as usize).clamp(1, SIDE);
    let reduced = resize(&canvas.0, SIDE, small, FilterType::Box)?;
    Ok(Canvas(resize(&reduced, small, SIDE, filter)?))
}

/// Resizes a square RGB image.
fn resize(values: &[f32], from: usize, to: usize, filter: FilterType) -> Result<Vec<f32>> {
    let pixels: Vec<F32x3> = values.chunks_exact(3).map(|rgb| F32x3::new([rgb[0], rgb[1], rgb[2]])).collect();
    let source = TypedImageRef::new(from as u32, from as u32, &pixels).context("reading an image")?;
    let mut resized = TypedImage::new(to as u32, to as u32);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Resizer::new().resize_typed(&source, &mut resized, &options).context("resizing an image")?;
    Ok(resized.pixels().iter().flat_map(|pixel| pixel.0).collect())
}

/// Adds this multiple of the difference from a blurred copy, so that edges ring.
pub fn sharpen(canvas: &Canvas, amount: f32) -> Canvas {
    let soft = blur(canvas, SHARPEN_SIGMA);
    let sharp = canvas.0.iter().zip(&soft.0).map(|(value, soft)| value + amount * (value - soft));
    Canvas(sharp.map(|value| value.clamp(0.0, 255.0)).collect())
}

/// Replaces each pixel by the mean of the evenest of four squares that meet in it, which smears detail and keeps edges
/// (Kuwahara et al. 1976). A radius in pixels that is no integer mixes the results of its neighbours.
pub fn smear(canvas: &Canvas, radius: f32) -> Canvas {
    let (below, share) = (radius.floor(), radius.fract());
    let [fine, coarse] = [below, below + 1.0].map(|radius| kuwahara(canvas, radius as usize));
    Canvas(fine.0.iter().zip(&coarse.0).map(|(fine, coarse)| fine + share * (coarse - fine)).collect())
}

fn kuwahara(canvas: &Canvas, radius: usize) -> Canvas {
    if radius == 0 {
        return canvas.clone();
    }
    // Sums over all pixels above and to the left: red, green, blue, and the squared lightness. The sums of squares need
    // more than 24 bits.
    let wide = SIDE + 1;
    let mut sums = vec![[0.0_f64; 5]; wide * wide];
    for y in 0..SIDE {
        let mut row = [0.0; 5];
        for x in 0..SIDE {
            let rgb: [f64; 3] = std::array::from_fn(|channel| f64::from(canvas.0[3 * (y * SIDE + x) + channel]));
            let light = rgb.iter().sum::<f64>() / 3.0;
            for (sum, value) in row.iter_mut().zip([rgb[0], rgb[1], rgb[2], light, light * light]) {
                *sum += value;
            }
            sums[(y + 1) * wide + x + 1] = std::array::from_fn(|i| row[i] + sums[y * wide + x + 1][i]);
        }
    }
    let mut smeared = Canvas::new();
    for y in 0..SIDE {
        for x in 0..SIDE {
            let [left, top] = [x, y].map(|place| [place.saturating_sub(radius), place]);
            let corners = [(left[0], top[0]), (left[1], top[0]), (left[0], top[1]), (left[1], top[1])];
            let squares = corners.map(|(x0, y0)| {
                let x1 = if x0 == x { (x + radius).min(SIDE - 1) } else { x } + 1;
                let y1 = if y0 == y { (y + radius).min(SIDE - 1) } else { y } + 1;
                let [a, b, c, d] = [y1 * wide + x1, y0 * wide + x1, y1 * wide + x0, y0 * wide + x0].map(|i| sums[i]);
                let count = ((x1 - x0) * (y1 - y0)) as f64;
                let mean: [f64; 5] = std::array::from_fn(|i| (a[i] - b[i] - c[i] + d[i]) / count);
                (mean[4] - mean[3] * mean[3], mean)
            });
            let evenest = squares.iter().min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are four");
            for (new, mean) in smeared.at(x, y).iter_mut().zip(evenest.1) {
                *new = mean as f32;
            }
        }
    }
    smeared
}

/// Adds a checkerboard of this amplitude, in levels of 256, as transposed convolutions leave it (Odena et al. 2016).
pub fn checker(mut canvas: Canvas, amplitude: f32, random: &mut RandomStream) -> Canvas {
    // The steps of the layers of decoders.
    let cell = random.pick(&[1, 2, 4]);
    for y in 0..SIDE {
        for x in 0..SIDE {
            let sign = if (x / cell + y / cell).is_multiple_of(2) { 1.0 } else { -1.0 };
            for value in canvas.at(x, y) {
                *value += sign * amplitude;
            }
        }
    }
    canvas
}

/// Moves two channels apart by this distance in levels of 256.
pub fn tint(mut canvas: Canvas, distance: f32, random: &mut RandomStream) -> Canvas {
    let mut channels = [0, 1, 2];
    random.shuffle(&mut channels);
    for pixel in canvas.0.chunks_exact_mut(3) {
        pixel[channels[0]] += 0.5 * distance;
        pixel[channels[1]] -= 0.5 * distance;
    }
    canvas
}
