//! Scores of a decoded data set's images, with the views that evaluation uses.

use std::num::NonZeroUsize;

use anyhow::Result;
use tsp_mgs_core::preprocess::Views;
use tsp_mgs_core::result::{ImageScore, TaskScore};
use tsp_mgs_core::scorer::{Input, Scorer};
use tsp_mgs_data::decoded::DecodedSet;
use tsp_mgs_data::loader::{BatchPlan, EvaluationBatches, Mirroring};

use crate::batching::score_batch;

/// One image's scores; `None` for a task that was not scored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Predicted {
    /// How good it looks, on the scale of the opinions.
    pub perception: Option<f64>,
    /// How well it shows its prompt.
    pub alignment: Option<f64>,
}

/// Scores items with the windows that are laid down for evaluation; `done` hears of each batch.
///
/// # Errors
/// When an image is no longer readable, or the device fails.
pub fn predict(
    data: &DecodedSet,
    scorer: &mut Scorer,
    items: &[usize],
    workers: NonZeroUsize,
    done: impl FnMut(usize),
) -> Result<Vec<Predicted>> {
    predict_by(data, scorer, items, workers, done, |scorer, batch| {
        let inputs: Vec<Input> = batch.iter().map(|&(views, prompt)| Input { views, prompt: Some(prompt) }).collect();
        let number = |task: Option<TaskScore>| task.map(|task| f64::from(task.score));
        let predicted =
            |score: ImageScore| Predicted { perception: number(score.perception), alignment: number(score.alignment) };
        Ok(score_batch(scorer, &inputs)?.into_iter().map(predicted).collect())
    })
}

/// As [`predict`], with another way from views and prompts to scores.
///
/// # Errors
/// When an image is no longer readable, and as `score`.
pub fn predict_by(
    data: &DecodedSet,
    scorer: &mut Scorer,
    items: &[usize],
    workers: NonZeroUsize,
    mut done: impl FnMut(usize),
    score: impl Fn(&mut Scorer, &[(&Views, &str)]) -> Result<Vec<Predicted>>,
) -> Result<Vec<Predicted>> {
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
