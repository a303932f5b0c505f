//! Prepared images to rows, in full batches; an image that fails does not touch the others.

use std::iter;
use std::sync::Once;

use anyhow::{Context, Result, ensure};
use tsp_mgs_core::preprocess::Views;
use tsp_mgs_core::result::ImageScore;
use tsp_mgs_core::scorer::{EncodedInput, Input, PendingScores, Scorer};

use crate::features::{FeatureStore, ImageFeatures};
use crate::prepare::{Content, Prepared, Ready};
use crate::row::ResultRow;

/// Rows of one batch, most of them errors: more are not waited for.
const MAX_ROWS: usize = 256;

/// Scores what is prepared, in order, a full batch at a time; an image that fails does not touch the others.
///
/// Where a batch starts and ends follows from the images alone, and not from how fast they come. With a `store`, the
/// features of each image are kept.
pub fn score_all(
    scorer: &mut Scorer,
    mut prepared: impl Iterator<Item = Prepared>,
    store: Option<&FeatureStore>,
) -> impl Iterator<Item = Vec<ResultRow>> {
    iter::from_fn(move || {
        let mut batch = next_batch(&mut prepared, scorer.images_at_once());
        if let Some(store) = store {
            encode(scorer, &mut batch, store);
        }
        (!batch.is_empty()).then(|| score_rows(scorer, batch))
    })
}

/// Takes images until there are `images` that can be scored.
fn next_batch(prepared: &mut impl Iterator<Item = Prepared>, images: usize) -> Vec<Prepared> {
    let (mut batch, mut readable) = (Vec::new(), 0);
    while readable < images && batch.len() < MAX_ROWS {
        let Some(next) = prepared.next() else { break };
        readable += usize::from(next.result.is_ok());
        batch.push(next);
    }
    batch
}

/// Puts features in the place of views, and keeps them.
fn encode(scorer: &Scorer, batch: &mut [Prepared], store: &FeatureStore) {
    let new: Vec<&mut Ready> = batch.iter_mut().filter_map(|image| image.result.as_mut().ok()).collect();
    let new: Vec<&mut Ready> = new.into_iter().filter(|ready| matches!(ready.content, Content::Views(_))).collect();
    let views: Vec<&Views> = new.iter().filter_map(|ready| ready.content.views()).collect();
    if views.is_empty() {
        return;
    }
    // What the device cannot encode together, it is asked to score one by one.
    let features = scorer.view_features(&views).try_into_data().ok().and_then(|data| data.try_to_vec::<f32>().ok());
    let Some(features) = features else { return };
    let length = features.len() / new.len();
    for (ready, values) in new.into_iter().zip(features.chunks_exact(length)) {
        let Some(views) = ready.content.views() else { continue };
        let (width, height) = (views.width, views.height);
        let (windows, is_flat) = (views.crop_rects.clone(), ready.is_flat);
        let features = ImageFeatures { values: values.to_vec(), windows, width, height, is_flat };
        let is_finite = values.iter().all(|value| value.is_finite());
        if let Some(sha256) = ready.sha256.as_ref().filter(|_| is_finite)
            && let Err(error) = store.keep(sha256, &features)
        {
            // Scores do not depend on it; the first of what may be millions is told.
            static TOLD: Once = Once::new();
            TOLD.call_once(|| eprintln!("note: {error:#}"));
        }
        ready.content = Content::Features(features);
    }
}

fn score_rows(scorer: &mut Scorer, batch: Vec<Prepared>) -> Vec<ResultRow> {
    let ready: Vec<&Ready> = batch.iter().filter_map(|image| image.result.as_ref().ok()).collect();
    let mut scores = score_each(scorer, &ready).into_iter();
    let row = |Prepared { name, result }| {
        let result = result.and_then(|ready| {
            let score = scores.next().expect("one score for each readable image")?;
            Ok(ready.scored(score))
        });
        ResultRow { name, result }
    };
    batch.into_iter().map(row).collect()
}

/// Scores images together, one result each; one that fails does not touch the others.
pub fn score_each(scorer: &mut Scorer, ready: &[&Ready]) -> Vec<Result<ImageScore>> {
    if ready.is_empty() {
        return Vec::new();
    }
    // A batch that fails as a whole is tried image by image, so that the guilty one is found.
    match score_ready(scorer, ready) {
        Ok(scores) => scores.into_iter().map(Ok).collect(),
        Err(error) if ready.len() == 1 => vec![Err(error)],
        Err(_) => ready.iter().map(|&ready| Ok(score_ready(scorer, &[ready])?.remove(0))).collect(),
    }
}

/// Scores of some images, of all of which there are views, or of all features.
fn score_ready(scorer: &mut Scorer, ready: &[&Ready]) -> Result<Vec<ImageScore>> {
    let inputs: Vec<Input> = ready
        .iter()
        .filter_map(|ready| Some(Input { views: ready.content.views()?, prompt: ready.prompt() }))
        .collect();
    if inputs.len() == ready.len() {
        return score_batch(scorer, &inputs);
    }
    let encoded = ready.iter().filter_map(|ready| match &ready.content {
        Content::Views(_) => None,
        Content::Features(ImageFeatures { values, windows, .. }) => {
            Some(EncodedInput { features: values, crop_rects: windows, prompt: ready.prompt() })
        }
    });
    let encoded: Vec<EncodedInput> = encoded.collect();
    ensure!(encoded.len() == ready.len(), "the device could not encode the views of some images");
    read_back(scorer.score_features(&encoded)?)
}

/// Scores and waits for the numbers.
///
/// # Errors
/// As [`Scorer::score_batch`], and when the device fails.
pub fn score_batch(scorer: &mut Scorer, inputs: &[Input]) -> Result<Vec<ImageScore>> {
    read_back(scorer.score_batch(inputs)?)
}

/// Waits for a batch and computes its scores.
fn read_back(pending: PendingScores) -> Result<Vec<ImageScore>> {
    let data = pending.transaction().try_execute().context("reading the scores from the device")?;
    Ok(pending.scores(&data)?)
}
