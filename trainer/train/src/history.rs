//! What a run did, epoch by epoch: kept in its checkpoints, written out as `log.jsonl`.

use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tsp_mgs_core::prompts::Task;
use tsp_mgs_data::files::write_atomically;

/// How far a run is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Finished epochs.
    pub epoch: usize,
    /// Finished steps of the epoch that follows.
    pub step: usize,
    /// Sum of those steps' losses.
    pub loss_sum: f64,
    /// Finished epochs, in order.
    pub history: Vec<EpochRecord>,
}

/// One finished epoch, a line of `log.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps from the start of training.
    pub steps: usize,
    /// Learning rate of its last step.
    pub rate: f64,
    /// Mean loss of its steps: |Q − MOS|, summed over tasks.
    pub loss: f64,
    /// Learned αs, in the order of the tasks that learn them.
    pub alphas: Vec<f64>,
    /// Of the part that a run is judged on.
    pub test: Vec<Correlations>,
    /// Of the part that an epoch is chosen on, if one was held out.
    pub validation: Vec<Correlations>,
    /// Share of the rounded weights that the epoch's last step left as they were, in the ablation that rounds.
    pub stuck_share: Option<f64>,
    /// Wall time of its steps.
    pub train_seconds: f64,
    /// Wall time of its evaluation.
    pub evaluate_seconds: f64,
}

/// How well one task's scores agree with opinions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correlations {
    /// The task.
    pub task: Task,
    /// Spearman's, in [−1, 1]; `None` when all scores are equal.
    pub srcc: Option<f64>,
    /// Pearson's, in [−1, 1]; `None` when all scores are equal.
    pub plcc: Option<f64>,
}

/// A number with twelve digits: so many are the same after they were written as JSON and read again, which the last
/// of seventeen need not be.
pub fn kept_exactly(number: f64) -> f64 {
    format!("{number:.11e}").parse().expect("a number was written")
}

impl EpochRecord {
    /// `(SRCC + PLCC) / 2`, the mean over tasks: what the paper's protocol chooses an epoch by (SPEC §6).
    pub fn criterion(part: &[Correlations]) -> Option<f64> {
        let each: Option<Vec<f64>> = part.iter().map(|task| Some((task.srcc? + task.plcc?) / 2.0)).collect();
        let each = each.filter(|each| !each.is_empty())?;
        Some(each.iter().sum::<f64>() / each.len() as f64)
    }
}

impl Progress {
    /// The epoch, an index of the history, with the highest criterion on a part; the first of equal ones.
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

    /// Writes the history, one JSON object a line.
    ///
    /// # Errors
    /// When the file cannot be written; then the old one stays.
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
