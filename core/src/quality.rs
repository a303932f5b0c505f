//! Features to quality: the paper's Eq. 2 to 7, for a batch, on the device, differentiable.
//!
//! Training runs this code; scoring computes the same in [`plain_quality`]. Where the paper is silent, SPEC §3 to §5 decides.

mod plain;

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::options::{Options, PatchMean, Temperature};
pub(crate) use plain::{PlainFeatures, PlainQuality, PlainView, plain_quality};

/// Width of the opinion scale, `R` in SPEC §5 (D8): every score stands on 0 to 5.
pub const SCALE: f64 = 5.0;

/// Keeps padding words, which are zero, from dividing by zero; far below any real feature's length.
const MIN_LENGTH: f64 = 1e-12;

/// What one batch of images and its texts looks like in the joint space; nothing is unit length.
///
/// Holds just the views that the options look at; see [`Options::needs_image`].
pub struct Features {
    /// Resized images, `[batch, embed_dim]`.
    pub image: Option<Tensor<2>>,
    /// Patches, `[batch, crops, embed_dim]`.
    pub patches: Option<Tensor<3>>,
    /// Task-specific prompts, worst level first: `[batch, levels, embed_dim]`.
    pub levels: Tensor<3>,
    /// Words of the initial prompts.
    pub words: Option<WordFeatures>,
}

/// Words of a batch of initial prompts, padded to the longest.
pub struct WordFeatures {
    /// `[batch, words, embed_dim]`; zero where a prompt has no more words.
    pub features: Tensor<3>,
    /// `[batch, words]`: 1 / K for each of a prompt's K words, 0 for padding.
    pub weights: Tensor<2>,
}

/// Quality and its parts, each `[batch, n]`.
pub struct Quality {
    /// `Q`, Eq. 7; `[batch, 1]`. Higher is better, not clipped.
    pub score: Tensor<2>,
    /// `Q_fg`, Eq. 6; `[batch, 1]`. `None` when switched off.
    pub q_fine: Option<Tensor<2>>,
    /// Parts seen in the resized image.
    pub image: Option<ViewQuality>,
    /// Parts seen in the mean patch.
    pub patches: Option<ViewQuality>,
}

/// What one view contributes.
pub struct ViewQuality {
    /// Level probabilities, Eq. 3; `[batch, levels]`.
    pub p: Tensor<2>,
    /// `Q_cg`, Eq. 5; `[batch, 1]`, in [0, 5].
    pub q: Tensor<2>,
    /// Each word's similarity; `[batch, words]`, in [−1, 1].
    pub words: Option<Tensor<2>>,
    /// Their mean, Eq. 4; `[batch, 1]`.
    pub w: Option<Tensor<2>>,
}

/// Computes quality from features.
///
/// # Shapes
/// - `alpha`, `logit_scale`: `[1]`
pub fn quality(features: &Features, alpha: Tensor<1>, logit_scale: Tensor<1>, options: &Options) -> Quality {
    let view = |feature: Tensor<2>| view_quality(feature, features, &logit_scale, options);
    let image = features.image.clone().map(view);
    let patches = features.patches.clone().map(|patches| view(mean_patch(patches, options.patch_mean)));

    let fine: Vec<Tensor<2>> = [&image, &patches].into_iter().filter_map(|view| view.as_ref()?.w.clone()).collect();
    let views = fine.len() as f64;
    let q_fine = fine.into_iter().reduce(|a, b| a + b).map(|w| w * (SCALE / views)); // Eq. 6

    let coarse = match (&image, &patches) {
        (Some(image), Some(patches)) => {
            let alpha = alpha.unsqueeze::<2>(); // [1, 1]
            alpha.clone() * image.q.clone() + (1.0 - alpha) * patches.q.clone()
        }
        (Some(only), None) | (None, Some(only)) => only.q.clone(),
        (None, None) => panic!("the view plan has at least one view"),
    };
    let score = match &q_fine {
        Some(q_fine) => coarse + q_fine.clone(), // Eq. 7
        None => coarse,
    };
    Quality { score, q_fine, image, patches }
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

/// `F̄_P`.
fn mean_patch(patches: Tensor<3>, mean: PatchMean) -> Tensor<2> {
    let patches = match mean {
        PatchMean::Raw => patches,
        PatchMean::Normalised => unit(patches),
    };
    patches.mean_dim(1).squeeze_dim(1)
}

/// Eq. 2: `[batch, views, embed_dim]` and `[batch, texts, embed_dim]` to `[batch, views, texts]`.
pub(crate) fn cosine(views: Tensor<3>, texts: Tensor<3>) -> Tensor<3> {
    unit(views).matmul(unit(texts).swap_dims(1, 2))
}

fn unit(features: Tensor<3>) -> Tensor<3> {
    let length = (features.clone() * features.clone()).sum_dim(2).sqrt().clamp_min(MIN_LENGTH);
    features / length
}

/// Eq. 3, with CLIP's scale unless the temperature is off (D7).
fn level_probabilities(similarity: Tensor<3>, logit_scale: &Tensor<1>, temperature: Temperature) -> Tensor<3> {
    let logits = match temperature {
        Temperature::Clip => similarity * logit_scale.clone().exp().unsqueeze::<3>(),
        Temperature::None => similarity,
    };
    softmax(logits, 2)
}

/// Eq. 5: `R / (L − 1) · (Σ j · p_j − 1)` with levels counted from 1, `[batch, 1]`.
fn coarse_quality(p: Tensor<2>) -> Tensor<2> {
    let [_, levels] = p.dims();
    let steps: Vec<f32> = (0..levels).map(|j| j as f32).collect(); // j − 1, since Σ p = 1
    let steps = Tensor::<1>::from_floats(steps.as_slice(), &p.device()).unsqueeze::<2>();
    (p * steps).sum_dim(1) * (SCALE / (levels - 1) as f64)
}
