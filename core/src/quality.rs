//! From features to quality: Eq. 2 to 7 of the paper, with the choices of SPEC §3 to §5.
//!
//! There are two implementations. [`quality()`] computes a batch on the device and is differentiable; training uses it.
//! `plain_quality` computes an image from plain numbers; scoring uses it.

mod plain;
mod scale;

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::options::{Options, PatchMean, Temperature};
pub(crate) use plain::{PlainFeatures, PlainQuality, PlainView, plain_quality};
use scale::MIN_LENGTH;
pub use scale::SCALE;

/// Features of a batch of images and of their texts, not of unit length.
///
/// Only the views that the options need are present; see [`Options::needs_image`] and [`Options::needs_crops`].
pub struct Features {
    /// Resized images, `[batch, embed_dim]`.
    pub image: Option<Tensor<2>>,
    /// Crops, `[batch, crops, embed_dim]`.
    pub crops: Option<Tensor<3>>,
    /// Task-specific prompts, `[batch, levels, embed_dim]`, worst level first.
    pub levels: Tensor<3>,
    /// Words of the initial prompts; `None` if no prompt has words.
    pub words: Option<WordFeatures>,
}

/// Words of the initial prompts of a batch, padded to the largest number of words.
pub struct WordFeatures {
    /// `[batch, words, embed_dim]`; padding has any value.
    pub features: Tensor<3>,
    /// `[batch, words]`: 1 / K for each of the K words of a prompt, 0 for padding.
    pub weights: Tensor<2>,
}

/// Quality and its parts.
pub struct Quality {
    /// The score `Q` (Eq. 7), `[batch, 1]`, not clipped; higher is better.
    pub score: Tensor<2>,
    /// Fine quality `Q_fg` (Eq. 6), `[batch, 1]`; `None` if it is switched off.
    pub q_fine: Option<Tensor<2>>,
    /// The parts of the resized image.
    pub image: Option<ViewQuality>,
    /// The parts of the mean crop.
    pub crops: Option<ViewQuality>,
}

/// The parts of quality that one view contributes.
pub struct ViewQuality {
    /// Level probabilities (Eq. 3), `[batch, levels]`.
    pub p: Tensor<2>,
    /// Coarse quality `Q_cg` (Eq. 5), `[batch, 1]`, in [0, 5].
    pub q: Tensor<2>,
    /// The similarity of each word, `[batch, words]`, in [−1, 1].
    pub words: Option<Tensor<2>>,
    /// The mean similarity of words (Eq. 4), `[batch, 1]`.
    pub w: Option<Tensor<2>>,
}

/// Computes quality from features, differentiably.
///
/// # Shapes
/// - `alpha`, `logit_scale`: `[1]`
///
/// # Panics
/// If `features` has neither resized images nor crops.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "cpu")] {
/// use burn::tensor::{Device, Tensor};
/// use tsp_mgs_core::options::Options;
/// use tsp_mgs_core::prompts::Task;
/// use tsp_mgs_core::quality::{Features, quality};
///
/// let device = Device::flex();
/// let options = Options { fine: false, ..Options::default_for(Task::Perception) };
/// let features = Features {
///     image: None,
///     crops: Some(Tensor::ones([1, 3, 8], &device)), // [batch, crops, embed_dim]
///     levels: Tensor::ones([1, 5, 8], &device),
///     words: None,
/// };
/// let one = || Tensor::ones([1], &device);
/// let score = quality(&features, one(), one(), &options).score;
/// // All levels are equally similar, so the score is the middle of the scale.
/// assert!((score.into_scalar::<f32>() - 2.5).abs() < 1e-5);
/// # }
/// ```
pub fn quality(features: &Features, alpha: Tensor<1>, logit_scale: Tensor<1>, options: &Options) -> Quality {
    let view = |feature: Tensor<2>| view_quality(feature, features, &logit_scale, options);
    let image = features.image.clone().map(view);
    let crops = features.crops.clone().map(|crops| view(mean_crop(crops, options.patch_mean)));

    let fine: Vec<Tensor<2>> = [&image, &crops].into_iter().filter_map(|view| view.as_ref()?.w.clone()).collect();
    let views = fine.len() as f64;
    let q_fine = fine.into_iter().reduce(|a, b| a + b).map(|w| w * (SCALE / views)); // Eq. 6

    let coarse = match (&image, &crops) {
        (Some(image), Some(crops)) => {
            let alpha = alpha.unsqueeze::<2>(); // [1, 1]
            alpha.clone() * image.q.clone() + (1.0 - alpha) * crops.q.clone()
        }
        (Some(only), None) | (None, Some(only)) => only.q.clone(),
        (None, None) => panic!("features of resized images or crops"),
    };
    let score = match &q_fine {
        Some(q_fine) => coarse + q_fine.clone(), // Eq. 7
        None => coarse,
    };
    Quality { score, q_fine, image, crops }
}

fn view_quality(feature: Tensor<2>, features: &Features, logit_scale: &Tensor<1>, options: &Options) -> ViewQuality {
    let feature: Tensor<3> = feature.unsqueeze_dim(1); // [batch, 1, embed_dim]
    let similarity = cosine(feature.clone(), features.levels.clone());
    let p = level_probabilities(similarity, logit_scale, options.temperature).squeeze_dim::<2>(1);
    let words = features.words.as_ref().filter(|_| options.fine);
    let similarities = words.map(|words| cosine(feature, words.features.clone()).squeeze_dim::<2>(1));
    let w = similarities.clone().zip(words).map(|(s, words)| (s * words.weights.clone()).sum_dim(1)); // Eq. 4
    ViewQuality { q: coarse_quality(p.clone()), p, words: similarities, w }
}

/// The mean feature of crops, `F̄_P`.
fn mean_crop(crops: Tensor<3>, mean: PatchMean) -> Tensor<2> {
    let crops = match mean {
        PatchMean::Raw => crops,
        PatchMean::Normalised => unit(crops),
    };
    crops.mean_dim(1).squeeze_dim(1)
}

/// Cosine similarities (Eq. 2), from `[batch, views, embed_dim]` and `[batch, texts, embed_dim]` to `[batch, views, texts]`.
pub(crate) fn cosine(views: Tensor<3>, texts: Tensor<3>) -> Tensor<3> {
    unit(views).matmul(unit(texts).swap_dims(1, 2))
}

fn unit(features: Tensor<3>) -> Tensor<3> {
    let length = (features.clone() * features.clone()).sum_dim(2).sqrt().clamp_min(MIN_LENGTH);
    features / length
}

/// Level probabilities (Eq. 3). Similarities are multiplied by CLIP's scale, unless the options exclude it (D7).
fn level_probabilities(similarity: Tensor<3>, logit_scale: &Tensor<1>, temperature: Temperature) -> Tensor<3> {
    let logits = match temperature {
        Temperature::Clip => similarity * logit_scale.clone().exp().unsqueeze::<3>(),
        Temperature::None => similarity,
    };
    softmax(logits, 2)
}

/// Coarse quality (Eq. 5), `[batch, 1]`: `R / (L − 1) · (Σ j · p_j − 1)`, where `j` counts levels from 1.
fn coarse_quality(p: Tensor<2>) -> Tensor<2> {
    let [_, levels] = p.dims();
    let steps: Vec<f32> = (0..levels).map(|j| j as f32).collect(); // j − 1, since Σ p = 1
    let steps = Tensor::<1>::from_floats(steps.as_slice(), &p.device()).unsqueeze::<2>();
    (p * steps).sum_dim(1) * (SCALE / (levels - 1) as f64)
}
