//! Scores prepared images in full batches. An image that fails does not affect the others.

use std::iter;
use std::sync::Once;

use anyhow::{Context, Result, ensure};
use tsp_mgs_core::preprocess::Views;
use tsp_mgs_core::result::ImageScore;
use tsp_mgs_core::scorer::{EncodedInput, Input, PendingScores, Scorer};

use crate::features::{FeatureStore, ImageFeatures};
use crate::prepare::{Content, PreparedImage, PreparedRecord};
use crate::results::row::ResultRow;

/// The maximum number of rows in a batch, most of which are then errors. A batch with this many rows is scored even if
/// it is not full.
const MAX_ROWS: usize = 256;

/// Scores prepared images in order, and returns the rows of one full batch after the other.
///
/// The images alone decide where a batch starts and ends, not the speed at which they are prepared. With a `store`, the
/// features of each image are stored.
pub fn score_all(
    scorer: &mut Scorer,
    mut prepared: impl Iterator<Item = PreparedRecord>,
    store: Option<&FeatureStore>,
) -> impl Iterator<Item = Vec<ResultRow>> {
    iter::from_fn(move || {
        let mut batch = next_batch(&mut prepared, scorer.images_at_once());
        if let Some(store) = store {
            replace_views(scorer, &mut batch, store);
        }
        (!batch.is_empty()).then(|| score_rows(scorer, batch))
    })
}

/// Takes images until `images` of them can be scored.
fn next_batch(prepared: &mut impl Iterator<Item = PreparedRecord>, images: usize) -> Vec<PreparedRecord> {
    let (mut batch, mut readable) = (Vec::new(), 0);
    while readable < images && batch.len() < MAX_ROWS {
        let Some(next) = prepared.next() else { break };
        readable += usize::from(next.result.is_ok());
        batch.push(next);
    }
    batch
}

/// Replaces the views of a batch by their features, and stores the features.
fn replace_views(scorer: &Scorer, batch: &mut [PreparedRecord], store: &FeatureStore) {
    let new: Vec<&mut PreparedImage> = batch.iter_mut().filter_map(|image| image.result.as_mut().ok()).collect();
    let new: Vec<&mut PreparedImage> =
        new.into_iter().filter(|ready| matches!(ready.content, Content::Views(_))).collect();
    let views: Vec<&Views> = new.iter().filter_map(|ready| ready.content.views()).collect();
    if views.is_empty() {
        return;
    }
    // If the device cannot encode the views together, the views stay, and the images are scored one by one.
    let features = scorer.view_features(&views).try_into_data().ok().and_then(|data| data.try_to_vec::<f32>().ok());
    let Some(features) = features else { return };
    let length = features.len() / new.len();
    for (ready, values) in new.into_iter().zip(features.chunks_exact(length)) {
        let Some(views) = ready.content.views() else { continue };
        let (width, height) = (views.width, views.height);
        let (crop_rects, is_flat) = (views.crop_rects.clone(), ready.is_flat);
        let features = ImageFeatures { values: values.to_vec(), crop_rects, width, height, is_flat };
        let is_finite = values.iter().all(|value| value.is_finite());
        if let Some(sha256) = ready.sha256.as_ref().filter(|_| is_finite)
            && let Err(error) = store.store(sha256, &features)
        {
            // Scores do not depend on the store. Only the first error is reported, because there may be millions.
            static REPORTED: Once = Once::new();
            REPORTED.call_once(|| eprintln!("note: {error:#}"));
        }
        ready.content = Content::Features(features);
    }
}

fn score_rows(scorer: &mut Scorer, batch: Vec<PreparedRecord>) -> Vec<ResultRow> {
    let ready: Vec<&PreparedImage> = batch.iter().filter_map(|image| image.result.as_ref().ok()).collect();
    let mut scores = score_each(scorer, &ready).into_iter();
    let row = |PreparedRecord { name, result }| {
        let result = result.and_then(|ready| {
            let score = scores.next().expect("one score for each readable image")?;
            Ok(ready.scored(score))
        });
        ResultRow { name, result }
    };
    batch.into_iter().map(row).collect()
}

/// Scores images together, and returns one result for each.
///
/// An image that fails does not affect the results of the others.
pub fn score_each(scorer: &mut Scorer, ready: &[&PreparedImage]) -> Vec<Result<ImageScore>> {
    if ready.is_empty() {
        return Vec::new();
    }
    // If a batch fails, its images are scored one by one, so that only the image that causes the error fails.
    match score_ready(scorer, ready) {
        Ok(scores) => scores.into_iter().map(Ok).collect(),
        Err(error) if ready.len() == 1 => vec![Err(error)],
        Err(_) => ready.iter().map(|&ready| Ok(score_ready(scorer, &[ready])?.remove(0))).collect(),
    }
}

/// Scores images that all have views, or all have features.
fn score_ready(scorer: &mut Scorer, ready: &[&PreparedImage]) -> Result<Vec<ImageScore>> {
    let inputs: Vec<Input> = ready
        .iter()
        .filter_map(|ready| Some(Input { views: ready.content.views()?, prompt: ready.prompt() }))
        .collect();
    if inputs.len() == ready.len() {
        return score_batch(scorer, &inputs);
    }
    let encoded = ready.iter().filter_map(|ready| match &ready.content {
        Content::Views(_) => None,
        Content::Features(ImageFeatures { values, crop_rects, .. }) => {
            Some(EncodedInput { features: values, crop_rects, prompt: ready.prompt() })
        }
    });
    let encoded: Vec<EncodedInput> = encoded.collect();
    ensure!(encoded.len() == ready.len(), "the device could not encode the views of some images");
    read_back(scorer.score_features(&encoded)?)
}

/// Scores images and waits for the results.
///
/// # Errors
/// Returns an error in the cases of [`Scorer::score_batch`], and if the device fails.
///
/// # Examples
///
/// Scores an image with the built-in demonstration model:
///
/// ```
/// use burn::tensor::Device;
/// use tsp_mgs_core::preprocess::views;
/// use tsp_mgs_core::scorer::{ImageTower, Input};
/// use tsp_mgs_score::batching::score_batch;
/// use tsp_mgs_score::model::{Model, ModelArgs};
///
/// # fn main() -> anyhow::Result<()> {
/// let model = Model::open(&ModelArgs::default())?;
/// let mut scorer = model.scorer(model.tasks.clone(), ImageTower::default(), &Device::flex())?;
///
/// let image = image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([4 * x as u8, 4 * y as u8, 0]));
/// let views = views(&image, scorer.view_plan())?;
/// let scores = score_batch(&mut scorer, &[Input { views: &views, prompt: Some("a colour gradient") }])?;
///
/// let perception = scores[0].perception.as_ref().expect("the model scores perception");
/// assert!((0.0..=5.0).contains(&perception.score));
/// # Ok(())
/// # }
/// ```
pub fn score_batch(scorer: &mut Scorer, inputs: &[Input]) -> Result<Vec<ImageScore>> {
    read_back(scorer.score_batch(inputs)?)
}

/// Reads the results of a batch from the device, and computes the scores.
fn read_back(pending: PendingScores) -> Result<Vec<ImageScore>> {
    let data = pending.transaction().try_execute().context("reading the scores from the device")?;
    Ok(pending.scores(&data)?)
}
