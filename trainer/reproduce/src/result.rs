//! Our numbers beside the paper's: mean and deviation over splits, in both protocols.

use serde::Serialize;
use tsp_mgs_core::prompts::Task;

use crate::report::{Pair, Report};

/// A table or figure with our numbers; what its JSON file holds.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    /// Name: "table3".
    pub experiment: String,
    /// For people; says so when the data is synthetic.
    pub title: String,
    /// The images that ours are about.
    pub data_set: String,
    /// A program made the images and their opinion scores.
    pub is_synthetic: bool,
    /// What a reader must know.
    pub notes: Vec<String>,
    /// A method or setting and a task each.
    pub lines: Vec<Line>,
}

/// One method, or setting, in one task.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// Its name in the paper.
    pub method: String,
    /// Where it was published, if elsewhere.
    pub venue: Option<String>,
    /// Whose opinion scores are predicted.
    pub task: Task,
    /// The paper's number; `None` where none is printed.
    pub published_srcc: Option<f64>,
    /// The paper's number; `None` where none is printed.
    pub published_plcc: Option<f64>,
    /// Why there is none.
    pub published_note: Option<String>,
    /// Ours; `None` for what stays as published.
    pub ours: Option<Numbers>,
}

/// Our numbers.
#[derive(Clone, Debug, Serialize)]
pub struct Numbers {
    /// Finished jobs, by their folders' names.
    pub jobs: Vec<String>,
    /// Splits that were asked for.
    pub splits_asked: usize,
    /// The best epoch on the test split itself.
    pub paper: Protocol,
    /// The last epoch, or one chosen on held-out training prompts.
    pub honest: Protocol,
}

/// One protocol's correlations.
#[derive(Clone, Debug, Serialize)]
pub struct Protocol {
    /// Spearman's.
    pub srcc: Spread,
    /// Pearson's.
    pub plcc: Spread,
}

/// A number of each split.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// `None` without values.
    pub mean: Option<f64>,
    /// Standard deviation with n − 1; `None` for fewer than two values.
    pub deviation: Option<f64>,
    /// In the order of the jobs; `None` where all predictions are equal.
    pub values: Vec<Option<f64>>,
}

impl Numbers {
    /// Of finished jobs.
    pub fn new(finished: &[(String, &Report)], splits_asked: usize) -> Self {
        let protocol = |pair: fn(&Report) -> Pair| {
            let values = |value: fn(Pair) -> Option<f64>| {
                Spread::new(finished.iter().map(|(_, report)| value(pair(report))).collect())
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

impl Spread {
    /// Of these values.
    pub fn new(values: Vec<Option<f64>>) -> Self {
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        let n = known.len() as f64;
        let mean = (!known.is_empty()).then(|| known.iter().sum::<f64>() / n);
        let squares = |mean: f64| known.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = mean.filter(|_| known.len() > 1).map(|mean| (squares(mean) / (n - 1.0)).sqrt());
        Self { mean, deviation, values }
    }

    /// "0.8901 ± 0.0102".
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
    fn a_spread_leaves_out_what_is_undefined() {
        // statistics.mean([0.5, 0.7, 0.9]), statistics.stdev([0.5, 0.7, 0.9])
        let spread = Spread::new(vec![Some(0.5), None, Some(0.7), Some(0.9)]);
        assert_eq!(spread.text(), "0.7000 ± 0.2000");
        assert_eq!(Spread::new(vec![Some(0.25)]).text(), "0.2500");
        assert_eq!(Spread::new(vec![None]).text(), "–");
    }
}
