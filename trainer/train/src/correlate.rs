//! Compares the scores of a part of a data set with its opinion scores.

use tsp_mgs_core::prompts::Task;
use tsp_mgs_data::dataset::Item;
use tsp_mgs_data::metrics::{plcc, srcc};
use tsp_mgs_score::predict::PredictedScores;

use crate::history::{Correlations, rounded};

/// Correlates the scores of one task with the opinion scores.
///
/// `part` has the indices in `items` of the scored images. `predicted` has their scores in the same order.
pub fn correlate(items: &[Item], part: &[usize], predicted: &[PredictedScores], task: Task) -> Correlations {
    let score = |scores: &PredictedScores| match task {
        Task::Perception => scores.perception,
        Task::Alignment => scores.alignment,
    };
    let scores: Vec<f64> = predicted.iter().filter_map(score).collect();
    let mos: Vec<f64> = part.iter().filter_map(|&item| items[item].score(task)).collect();
    Correlations { task, srcc: srcc(&scores, &mos).map(rounded), plcc: plcc(&scores, &mos).map(rounded) }
}
