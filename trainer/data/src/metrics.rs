//! Metrics of the agreement between predictions and opinion scores (Xia et al., Eq. 9 and 10).
//!
//! A metric is `None` if it is not defined: the lengths differ, a number is not finite, there are fewer than two pairs,
//! or all predictions or all opinion scores are equal. No value is substituted.

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
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::metrics::Metrics;
///
/// let predicted = [1.0, 2.5, 2.0, 4.0, 4.5, 3.0];
/// let mos = [1.2, 2.0, 2.2, 3.9, 4.8, 3.1];
/// let metrics = Metrics::of(&predicted, &mos);
/// assert_eq!(metrics.n, 6);
/// assert!(metrics.srcc.is_some_and(|srcc| srcc > 0.9));
/// assert_eq!(Metrics::of(&predicted, &[2.0; 6]).srcc, None);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Metrics {
    /// The number of pairs.
    pub n: usize,
    /// Spearman rank correlation, in [-1, 1]; higher is better.
    pub srcc: Option<f64>,
    /// The 95 % interval of `srcc`.
    pub srcc_interval: Option<Interval>,
    /// Pearson correlation, in [-1, 1]; higher is better.
    pub plcc: Option<f64>,
    /// The 95 % interval of `plcc`.
    pub plcc_interval: Option<Interval>,
    /// Pearson correlation after a logistic fit, in [0, 1]; higher is better.
    pub plcc_fitted: Option<f64>,
    /// Kendall's tau-b, in [-1, 1]; higher is better.
    pub krcc: Option<f64>,
    /// Root of the mean squared error, on the opinion scale; lower is better.
    pub rmse: Option<f64>,
}

impl Metrics {
    /// Computes all metrics. `predicted` and `mos` have one value for each image, in the same order.
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
