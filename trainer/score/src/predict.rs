//! Scores the images of a decoded data set with the views of an evaluation.

use std::num::NonZeroUsize;

use anyhow::Result;
use tsp_mgs_core::preprocess::Views;
use tsp_mgs_core::result::{ImageScore, TaskScore};
use tsp_mgs_core::scorer::{Input, Scorer};
use tsp_mgs_data::decoded::DecodedSet;
use tsp_mgs_data::loader::{BatchPlan, EvaluationBatches, Mirroring};

use crate::batching::score_batch;

/// The scores of one image. A task that was not scored is `None`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictedScores {
    /// Perceptual quality, on the scale of 0 to 5; higher is better.
    pub perception: Option<f64>,
    /// Agreement with the prompt, on the scale of 0 to 5; higher is better.
    pub alignment: Option<f64>,
}

/// Scores items of a data set, with the fixed crops of an evaluation.
///
/// `items` are indices into the items of the data set; the result has their order. After each batch, `done` is called
/// with the number of images that are scored.
///
/// # Errors
/// Returns an error if a cached image can no longer be read, or if the device fails.
pub fn predict(
    data: &DecodedSet,
    scorer: &mut Scorer,
    items: &[usize],
    workers: NonZeroUsize,
    done: impl FnMut(usize),
) -> Result<Vec<PredictedScores>> {
    predict_by(data, scorer, items, workers, done, |scorer, batch| {
        let inputs: Vec<Input> = batch.iter().map(|&(views, prompt)| Input { views, prompt: Some(prompt) }).collect();
        let number = |task: Option<TaskScore>| task.map(|task| f64::from(task.score));
        let predicted = |score: ImageScore| PredictedScores {
            perception: number(score.perception),
            alignment: number(score.alignment),
        };
        Ok(score_batch(scorer, &inputs)?.into_iter().map(predicted).collect())
    })
}

/// Scores items like [`predict`], but with the function `score`, which gets the views and prompts of a batch.
///
/// # Errors
/// Returns an error if a cached image can no longer be read, and each error of `score`.
pub fn predict_by(
    data: &DecodedSet,
    scorer: &mut Scorer,
    items: &[usize],
    workers: NonZeroUsize,
    mut done: impl FnMut(usize),
    score: impl Fn(&mut Scorer, &[(&Views, &str)]) -> Result<Vec<PredictedScores>>,
) -> Result<Vec<PredictedScores>> {
    let plan = BatchPlan {
        batch_size: NonZeroUsize::new(scorer.images_at_once()).expect("at least one image at once"),
        views: scorer.view_plan(),
        mirroring: Mirroring::Off,
        seed: 0,
        workers,
    };
    let mut predicted = Vec::with_capacity(items.len());
    for batch in EvaluationBatches::new(data.images.clone(), items, plan)? {
        let batch = batch?;
        let inputs: Vec<(&Views, &str)> =
            batch.iter().map(|(item, views)| (views, data.set.items[*item].prompt.as_str())).collect();
        predicted.extend(score(scorer, &inputs)?);
        done(predicted.len());
    }
    Ok(predicted)
}
