//! The table of an experiment: published numbers beside ours, with mean and deviation over splits in both protocols.

use serde::Serialize;
use tsp_mgs_core::prompts::Task;

use crate::report::{Agreement, Report};

/// A table or figure with our numbers. Its JSON file holds it.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Name of the experiment, such as "table3".
    pub experiment: String,
    /// Title for people, which says so if the data is synthetic.
    pub title: String,
    /// Name of the data set of our numbers.
    pub data_set: String,
    /// Whether the images and opinion scores of our numbers are synthetic.
    pub is_synthetic: bool,
    /// Notes for a reader.
    pub notes: Vec<String>,
    /// Rows, one for each method or setting and task.
    #[serde(rename = "lines")]
    pub rows: Vec<MethodRow>,
}

/// A method or setting in one task.
#[derive(Clone, Debug, Serialize)]
pub struct MethodRow {
    /// Name in the paper.
    pub method: String,
    /// Where the method was published, if elsewhere.
    pub venue: Option<String>,
    /// The task whose opinion scores are predicted.
    pub task: Task,
    /// Published Spearman rank correlation; `None` if the paper prints none.
    pub published_srcc: Option<f64>,
    /// Published Pearson correlation; `None` if the paper prints none.
    pub published_plcc: Option<f64>,
    /// Why the paper has no number.
    pub published_note: Option<String>,
    /// Our numbers; `None` if we do not compute them.
    pub ours: Option<OurNumbers>,
}

/// Our numbers for one row.
#[derive(Clone, Debug, Serialize)]
pub struct OurNumbers {
    /// Names of the finished jobs.
    pub jobs: Vec<String>,
    /// Number of splits that were requested.
    pub splits_asked: usize,
    /// Paper protocol: the best epoch on the test split itself.
    pub paper: Protocol,
    /// Honest protocol: the last epoch, or one chosen on held-out training prompts.
    pub honest: Protocol,
}

/// Correlations in one protocol.
#[derive(Clone, Debug, Serialize)]
pub struct Protocol {
    /// Spearman rank correlation, in [−1, 1].
    pub srcc: Statistics,
    /// Pearson correlation, in [−1, 1].
    pub plcc: Statistics,
}

/// A number with a value for each split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistics {
    /// Mean of the defined values; `None` if there is none.
    pub mean: Option<f64>,
    /// Standard deviation of the defined values (n − 1); `None` for fewer than two.
    pub deviation: Option<f64>,
    /// Value of each job, in the order of the jobs; `None` if all predictions were equal.
    pub values: Vec<Option<f64>>,
}

impl OurNumbers {
    /// The numbers of finished jobs.
    pub fn new(finished: &[(String, &Report)], splits_asked: usize) -> Self {
        let protocol = |pair: fn(&Report) -> Agreement| {
            let values = |value: fn(Agreement) -> Option<f64>| {
                Statistics::new(finished.iter().map(|(_, report)| value(pair(report))).collect())
            };
            Protocol { srcc: values(|found| found.srcc), plcc: values(|found| found.plcc) }
        };
        Self {
            jobs: finished.iter().map(|(name, _)| name.clone()).collect(),
            splits_asked,
            paper: protocol(|report| report.paper),
            honest: protocol(|report| report.honest),
        }
    }
}

impl Statistics {
    /// The statistics of these values.
    pub fn new(values: Vec<Option<f64>>) -> Self {
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        let n = known.len() as f64;
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / n);
        let squares = |mean: f64| known.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = mean.filter(|_| known.len() > 1).map(|mean| (squares(mean) / (n - 1.0)).sqrt());
        Self { mean, deviation, values }
    }

    /// Formats mean and deviation, such as "0.8901 ± 0.0102".
    pub fn text(&self) -> String {
        match (self.mean, self.deviation) {
            (Some(mean), Some(deviation)) => format!("{mean:.4} ± {deviation:.4}"),
            (Some(mean), None) => format!("{mean:.4}"),
            _ => "–".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_skip_undefined_values() {
        // statistics.mean([0.5, 0.7, 0.9]), statistics.stdev([0.5, 0.7, 0.9])
        let spread = Statistics::new(vec![Some(0.5), None, Some(0.7), Some(0.9)]);
        assert_eq!(spread.text(), "0.7000 ± 0.2000");
        assert_eq!(Statistics::new(vec![Some(0.25)]).text(), "0.2500");
        assert_eq!(Statistics::new(vec![None]).text(), "–");
    }
}
