//! Percentile intervals by the bootstrap (Efron & Tibshirani 1993, §13.3).
//!
//! Pairs are drawn with replacement. The interval contains the middle 95 % of the correlations of such resamples.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::correlation::{DenseRanks, are_comparable, plcc};

/// The lower and the upper bound.
pub type Interval = [f64; 2];

/// The number of resamples, which Efron & Tibshirani recommend for percentiles.
pub const RESAMPLES: usize = 1000;
/// The quantiles of the bounds. They exclude 5 % together.
const BOUNDS: [f64; 2] = [0.025, 0.975];
/// The seed is fixed, so that the same scores always have the same interval.
const SEED: [u8; 32] = [0; 32];

/// The 95 % interval of [`srcc`](super::srcc).
///
/// Returns `None` if the metric is not defined for all resamples. There are then too few distinct values for an
/// interval.
pub fn srcc_interval(predicted: &[f64], mos: &[f64]) -> Option<Interval> {
    if !are_comparable(predicted, mos) {
        return None;
    }
    let (predicted, mos) = (DenseRanks::of(predicted), DenseRanks::of(mos));
    interval(predicted.of_element.len(), |indices| {
        plcc(&predicted.resample(indices).ranks(), &mos.resample(indices).ranks())
    })
}

/// The 95 % interval of [`plcc`](super::plcc).
///
/// Returns `None` if the metric is not defined for all resamples.
pub fn plcc_interval(predicted: &[f64], mos: &[f64]) -> Option<Interval> {
    if !are_comparable(predicted, mos) {
        return None;
    }
    let pick = |values: &[f64], indices: &[usize]| -> Vec<f64> { indices.iter().map(|&i| values[i]).collect() };
    interval(predicted.len(), |indices| plcc(&pick(predicted, indices), &pick(mos, indices)))
}

/// Computes the interval of a metric over resamples of `n` pairs. `metric` gets the indices of the drawn pairs.
fn interval(n: usize, metric: impl Fn(&[usize]) -> Option<f64>) -> Option<Interval> {
    let mut random = ChaCha8Rng::from_seed(SEED);
    let mut indices = vec![0; n];
    let mut values = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        indices.fill_with(|| index_below(n, &mut random));
        values.push(metric(&indices)?);
    }
    values.sort_unstable_by(f64::total_cmp);
    Some(BOUNDS.map(|share| quantile(&values, share)))
}

/// Draws an index below `n`, as the high half of a product. Its bias is below `n / 2³²`.
///
/// The functions of `rand` are not used, because their results may change between versions.
fn index_below(n: usize, random: &mut ChaCha8Rng) -> usize {
    ((u64::from(random.next_u32()) * n as u64) >> 32) as usize
}

/// Returns a quantile by linear interpolation, as `numpy.quantile` does by default. `sorted` must not be empty.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let lower = position.floor() as usize;
    let upper = (lower + 1).min(sorted.len() - 1);
    sorted[lower] + (sorted[upper] - sorted[lower]) * (position - lower as f64)
}
