//! Eq. 2 to 7 for one image, in plain numbers, from features that were read back from the device.
//!
//! On the device this would take about a hundred operations on a few numbers each, and on a GPU a kernel for each operation and
//! size.

use std::ops::Range;

use super::scale::{MIN_LENGTH, SCALE};
use crate::options::{Options, PatchMean, Temperature};

/// Features of an image and of its texts, not of unit length.
pub(crate) struct PlainFeatures<'a> {
    /// The resized image.
    pub image: Option<&'a [f32]>,
    pub crops: &'a [&'a [f32]],
    /// Task-specific prompts, worst level first.
    pub levels: Vec<&'a [f32]>,
    /// The tokens of the initial prompt, without start and end.
    pub tokens: &'a [&'a [f32]],
    /// The tokens of each word.
    pub words: Vec<Range<usize>>,
    /// The learned logarithm of the scale of similarities.
    pub logit_scale: f64,
}

/// Quality and its parts; see [`super::Quality`].
pub(crate) struct PlainQuality {
    pub score: f32,
    /// `None` if it is switched off.
    pub q_fine: Option<f32>,
    pub image: Option<PlainView>,
    pub crops: Option<PlainView>,
    /// Level probabilities of each crop.
    pub each_crop: Vec<Vec<f32>>,
}

/// The parts of quality that one view contributes; see [`super::ViewQuality`].
pub(crate) struct PlainView {
    pub p: Vec<f32>,
    pub q: f32,
    /// The similarity of each word.
    pub words: Vec<f32>,
    /// The mean similarity of words; `None` without words.
    pub w: Option<f32>,
}

/// Computes quality from features.
///
/// # Panics
/// If `features` has neither a resized image nor crops.
pub(crate) fn plain_quality(features: &PlainFeatures, options: &Options) -> PlainQuality {
    let levels: Vec<Vec<f64>> = features.levels.iter().map(|level| unit(level)).collect();
    let word = |tokens: &Range<usize>| unit(&mean(features.tokens[tokens.clone()].iter().map(|token| numbers(token))));
    let words: Vec<Vec<f64>> = features.words.iter().map(word).collect();
    let probabilities = |feature: &[f64]| {
        let scale = if options.temperature == Temperature::Clip { features.logit_scale.exp() } else { 1.0 };
        softmax(levels.iter().map(|level| scale * dot(feature, level)).collect())
    };
    let view = |feature: Vec<f64>| {
        let p = probabilities(&feature);
        let words: Vec<f64> = words.iter().map(|word| dot(&feature, word)).collect();
        let w = (!words.is_empty()).then(|| words.iter().sum::<f64>() / words.len() as f64); // Eq. 4
        // Eq. 5, with levels counted from 0.
        let steps = p.iter().enumerate().map(|(j, p)| j as f64 * p).sum::<f64>();
        View { q: SCALE / (p.len() - 1) as f64 * steps, p, words, w }
    };
    let image = features.image.map(|image| view(unit(image)));
    let mean_crop = match options.patch_mean {
        _ if features.crops.is_empty() => None,
        PatchMean::Raw => Some(mean(features.crops.iter().map(|crop| numbers(crop)))),
        PatchMean::Normalised => Some(mean(features.crops.iter().map(|crop| unit(crop)))),
    };
    let crops = mean_crop.map(|crop| view(unit(&crop)));

    let coarse = match (&image, &crops) {
        (Some(image), Some(crops)) => {
            let alpha = options.alpha.value();
            alpha * image.q + (1.0 - alpha) * crops.q
        }
        (Some(only), None) | (None, Some(only)) => only.q,
        (None, None) => panic!("features of a resized image or crops"),
    };
    let fine: Vec<f64> = [&image, &crops].into_iter().flatten().map(|view| view.w.unwrap_or(0.0)).collect();
    let q_fine = options.fine.then(|| SCALE / fine.len() as f64 * fine.iter().sum::<f64>()); // Eq. 6
    PlainQuality {
        score: (coarse + q_fine.unwrap_or(0.0)) as f32, // Eq. 7
        q_fine: q_fine.map(|q| q as f32),
        each_crop: features.crops.iter().map(|crop| rounded(&probabilities(&unit(crop)))).collect(),
        image: image.map(View::rounded),
        crops: crops.map(View::rounded),
    }
}

/// As [`PlainView`], in float64.
struct View {
    p: Vec<f64>,
    q: f64,
    words: Vec<f64>,
    w: Option<f64>,
}

impl View {
    fn rounded(self) -> PlainView {
        let words = rounded(&self.words);
        PlainView { p: rounded(&self.p), q: self.q as f32, words, w: self.w.map(|w| w as f32) }
    }
}

fn rounded(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|&number| number as f32).collect()
}

fn numbers(feature: &[f32]) -> Vec<f64> {
    feature.iter().copied().map(f64::from).collect()
}

/// The mean of at least one feature.
fn mean(features: impl ExactSizeIterator<Item = Vec<f64>>) -> Vec<f64> {
    let count = features.len() as f64;
    let sum = features.reduce(|mut sum, feature| {
        sum.iter_mut().zip(&feature).for_each(|(sum, number)| *sum += number);
        sum
    });
    sum.into_iter().flatten().map(|number| number / count).collect()
}

/// The feature at unit length.
fn unit<T: Copy + Into<f64>>(feature: &[T]) -> Vec<f64> {
    let feature: Vec<f64> = feature.iter().map(|&number| number.into()).collect();
    let length = dot(&feature, &feature).sqrt().max(MIN_LENGTH);
    feature.into_iter().map(|number| number / length).collect()
}

/// The dot product. For features of unit length it is their similarity (Eq. 2).
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Softmax (Eq. 3).
fn softmax(logits: Vec<f64>) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.into_iter().map(|logit| (logit - largest).exp()).collect();
    let total: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|exponential| exponential / total).collect()
}
