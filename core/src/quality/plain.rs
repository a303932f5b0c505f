//! The same equations on the features of one image, in plain numbers: what a device gives back are features.
//!
//! On a device these sums would be some hundred operations on a few numbers each, and on a GPU a kernel for each of them and
//! each size.

use std::ops::Range;

use super::{MIN_LENGTH, SCALE};
use crate::options::{Options, PatchMean, Temperature};

/// What one image and its texts look like in the joint space; nothing is unit length.
pub(crate) struct PlainFeatures<'a> {
    /// The resized image.
    pub image: Option<&'a [f32]>,
    pub patches: Vec<&'a [f32]>,
    /// Task-specific prompts, worst level first.
    pub levels: Vec<&'a [f32]>,
    /// Tokens of the initial prompt, between start and end.
    pub tokens: Vec<&'a [f32]>,
    /// The tokens of each word.
    pub words: Vec<Range<usize>>,
    /// The learned logarithm.
    pub logit_scale: f64,
}

/// Quality and its parts; see [`super::Quality`].
pub(crate) struct PlainQuality {
    pub score: f32,
    /// `None` when switched off.
    pub q_fine: Option<f32>,
    pub image: Option<PlainView>,
    pub patches: Option<PlainView>,
    /// Level probabilities of each patch by itself.
    pub each_patch: Vec<Vec<f32>>,
}

/// What one view contributes; see [`super::ViewQuality`].
pub(crate) struct PlainView {
    pub p: Vec<f32>,
    pub q: f32,
    /// Each word's similarity.
    pub words: Vec<f32>,
    /// Their mean; `None` without words.
    pub w: Option<f32>,
}

/// Computes quality from features.
///
/// # Panics
/// If there are neither image nor patches.
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
        // Eq. 5, its levels counted from 0.
        let steps = p.iter().enumerate().map(|(j, p)| j as f64 * p).sum::<f64>();
        View { q: SCALE / (p.len() - 1) as f64 * steps, p, words, w }
    };
    let image = features.image.map(|image| view(unit(image)));
    let mean_patch = match options.patch_mean {
        _ if features.patches.is_empty() => None,
        PatchMean::Raw => Some(mean(features.patches.iter().map(|patch| numbers(patch)))),
        PatchMean::Normalised => Some(mean(features.patches.iter().map(|patch| unit(patch)))),
    };
    let patches = mean_patch.map(|patch| view(unit(&patch)));

    let coarse = match (&image, &patches) {
        (Some(image), Some(patches)) => {
            let alpha = options.alpha.value();
            alpha * image.q + (1.0 - alpha) * patches.q
        }
        (Some(only), None) | (None, Some(only)) => only.q,
        (None, None) => panic!("the view plan has at least one view"),
    };
    let fine: Vec<f64> = [&image, &patches].into_iter().flatten().map(|view| view.w.unwrap_or(0.0)).collect();
    let q_fine = options.fine.then(|| SCALE / fine.len() as f64 * fine.iter().sum::<f64>()); // Eq. 6
    PlainQuality {
        score: (coarse + q_fine.unwrap_or(0.0)) as f32, // Eq. 7
        q_fine: q_fine.map(|q| q as f32),
        each_patch: features.patches.iter().map(|patch| rounded(&probabilities(&unit(patch)))).collect(),
        image: image.map(View::rounded),
        patches: patches.map(View::rounded),
    }
}

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

/// The mean of features of one length, at least one.
fn mean(features: impl ExactSizeIterator<Item = Vec<f64>>) -> Vec<f64> {
    let count = features.len() as f64;
    let sum = features.reduce(|mut sum, feature| {
        sum.iter_mut().zip(&feature).for_each(|(sum, number)| *sum += number);
        sum
    });
    sum.into_iter().flatten().map(|number| number / count).collect()
}

fn unit<T: Copy + Into<f64>>(feature: &[T]) -> Vec<f64> {
    let feature: Vec<f64> = feature.iter().map(|&number| number.into()).collect();
    let length = dot(&feature, &feature).sqrt().max(MIN_LENGTH);
    feature.into_iter().map(|number| number / length).collect()
}

/// Of unit length, Eq. 2.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Eq. 3.
fn softmax(logits: Vec<f64>) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let exponentials: Vec<f64> = logits.into_iter().map(|logit| (logit - largest).exp()).collect();
    let total: f64 = exponentials.iter().sum();
    exponentials.into_iter().map(|exponential| exponential / total).collect()
}
