//! How well predictions agree with opinion scores (Xia et al., Eq. 9 and 10), on plain numbers.
//!
//! A metric is `None` where it does not exist: the lengths differ, a number is not finite, there are
//! fewer than two pairs, or a side is constant. Nothing is ever filled in.

mod bootstrap;
mod correlation;
mod kendall;
mod logistic;

use serde::Serialize;

pub use bootstrap::{Interval, RESAMPLES, plcc_interval, srcc_interval};
pub use correlation::{plcc, rmse, srcc};
pub use kendall::krcc;
pub use logistic::plcc_fitted;

/// All metrics of one set of predictions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// Number of pairs.
    pub n: usize,
    /// Spearman rank correlation, in [-1, 1]; higher is better.
    pub srcc: Option<f64>,
    /// Where 95 % of the resamples' SRCC lie.
    pub srcc_interval: Option<Interval>,
    /// Pearson correlation, in [-1, 1]; higher is better.
    pub plcc: Option<f64>,
    /// Where 95 % of the resamples' PLCC lie.
    pub plcc_interval: Option<Interval>,
    /// Pearson correlation after a logistic fit, in [0, 1]; higher is better.
    pub plcc_fitted: Option<f64>,
    /// Kendall's tau-b, in [-1, 1]; higher is better.
    pub krcc: Option<f64>,
    /// Root of the mean squared error, on the opinion scale; lower is better.
    pub rmse: Option<f64>,
}

impl Metrics {
    /// Computes all of them.
    pub fn of(predicted: &[f64], mos: &[f64]) -> Self {
        Self {
            n: predicted.len(),
            srcc: srcc(predicted, mos),
            srcc_interval: srcc_interval(predicted, mos),
            plcc: plcc(predicted, mos),
            plcc_interval: plcc_interval(predicted, mos),
            plcc_fitted: plcc_fitted(predicted, mos),
            krcc: krcc(predicted, mos),
            rmse: rmse(predicted, mos),
        }
    }
}
