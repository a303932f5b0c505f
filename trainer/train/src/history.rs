//! The history of a run, epoch by epoch. Checkpoints contain it, and it is written as `log.jsonl`.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_data::files::write_atomically;

/// The progress of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Number of finished epochs.
    pub epoch: usize,
    /// Number of finished steps of the current epoch.
    pub step: usize,
    /// Sum of the losses of those steps.
    pub loss_sum: f64,
    /// Records of the finished epochs, oldest first.
    pub history: Vec<EpochRecord>,
}

/// A finished epoch: one line of `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Number of the epoch, counted from 1.
    pub epoch: usize,
    /// Number of steps since the start of training.
    pub steps: usize,
    /// Learning rate of the last step.
    pub rate: f64,
    /// Mean loss of the steps: |Q − MOS| (Eq. 8), summed over the tasks.
    pub loss: f64,
    /// Values of the learned αs, in the order of the tasks that learn them.
    pub alphas: Vec<f64>,
    /// Correlations on the test part, by task.
    pub test: Vec<Correlations>,
    /// Correlations on the validation part, by task; empty if no part is held out.
    pub validation: Vec<Correlations>,
    /// Share of the rounded weights that the last step left unchanged, for [`TrainingPrecision::ClipFp16Step`].
    ///
    /// [`TrainingPrecision::ClipFp16Step`]: crate::config::TrainingPrecision::ClipFp16Step
    pub stuck_share: Option<f64>,
    /// Wall time of the steps, in seconds.
    pub train_seconds: f64,
    /// Wall time of the evaluation, in seconds.
    pub evaluate_seconds: f64,
}

/// Agreement of the scores of one task with the opinion scores.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlations {
    /// The task that is scored.
    pub task: Task,
    /// Spearman rank correlation, in [−1, 1]; higher is better. `None` if all scores are equal.
    pub srcc: Option<f64>,
    /// Pearson correlation, in [−1, 1]; higher is better. `None` if all scores are equal.
    pub plcc: Option<f64>,
}

/// Rounds a number to twelve significant digits.
///
/// A number of twelve digits survives being written as JSON and read again. One of seventeen digits may change in its
/// last digit.
pub fn rounded(number: f64) -> f64 {
    format!("{number:.11e}").parse().expect("a formatted number parses")
}

impl EpochRecord {
    /// `(SRCC + PLCC) / 2`, averaged over the tasks. The paper protocol chooses the epoch with the highest value.
    ///
    /// Returns `None` if `part` is empty or a correlation is undefined.
    pub fn criterion(part: &[Correlations]) -> Option<f64> {
        let each: Option<Vec<f64>> = part.iter().map(|task| Some((task.srcc? + task.plcc?) / 2.0)).collect();
        let each = each.filter(|each| !each.is_empty())?;
        Some(each.iter().sum::<f64>() / each.len() as f64)
    }
}

impl Progress {
    /// Index in the history of the epoch with the highest [`EpochRecord::criterion`] on a part; the first one of equal
    /// epochs.
    pub fn best_epoch(&self, part: impl Fn(&EpochRecord) -> &[Correlations]) -> Option<usize> {
        let mut best: Option<(usize, f64)> = None;
        for (i, record) in self.history.iter().enumerate() {
            if let Some(found) = EpochRecord::criterion(part(record))
                && best.is_none_or(|(_, best)| found > best)
            {
                best = Some((i, found));
            }
        }
        best.map(|(i, _)| i)
    }

    /// Writes the history to `path`, one JSON object per line.
    ///
    /// # Errors
    /// Fails if the file cannot be written. The old file stays then.
    pub fn write_log(&self, path: &Path) -> Result<()> {
        let mut lines = String::new();
        for record in &self.history {
            lines.push_str(&serde_json::to_string(record).context("writing the log")?);
            lines.push('\n');
        }
        write_atomically(path, lines.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(epoch: usize, test: &[(f64, f64)]) -> EpochRecord {
        let correlations = |&(srcc, plcc)| Correlations { task: Task::Perception, srcc: Some(srcc), plcc: Some(plcc) };
        EpochRecord {
            epoch,
            steps: 0,
            rate: 0.0,
            loss: 0.0,
            alphas: Vec::new(),
            test: test.iter().map(correlations).collect(),
            validation: Vec::new(),
            stuck_share: None,
            train_seconds: 0.0,
            evaluate_seconds: 0.0,
        }
    }

    #[test]
    fn the_best_epoch_has_the_highest_mean_of_both_correlations_over_all_tasks() {
        let history = vec![
            record(1, &[(0.9, 0.5), (0.1, 0.1)]),
            record(2, &[(0.6, 0.7), (0.5, 0.4)]),
            record(3, &[(0.6, 0.7), (0.5, 0.4)]),
        ];
        let progress = Progress { history, ..Progress::default() };
        assert_eq!(progress.best_epoch(|record| &record.test), Some(1));
        assert_eq!(progress.best_epoch(|record| &record.validation), None);
    }
}
