//! Percentile intervals of the bootstrap (Efron & Tibshirani 1993, §13.3): pairs are drawn with
//! replacement, and the interval holds the middle 95 % of the correlations that the draws have.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::correlation::{Levels, are_comparable, plcc};

/// Lower and upper bound.
pub type Interval = [f64; 2];

/// As Efron & Tibshirani advise for percentiles.
pub const RESAMPLES: usize = 1000;
/// Of the distribution; both bounds together leave out 5 %.
const BOUNDS: [f64; 2] = [0.025, 0.975];
/// Fixed: the same scores always have the same interval.
const SEED: [u8; 32] = [0; 32];

/// 95 % interval of [`super::correlation::srcc`].
///
/// `None` when the metric does not exist, or not for each resample: with so few distinct values,
/// the draws say nothing about the population.
pub fn srcc_interval(predicted: &[f64], mos: &[f64]) -> Option<Interval> {
    if !are_comparable(predicted, mos) {
        return None;
    }
    let (predicted, mos) = (Levels::of(predicted), Levels::of(mos));
    interval(predicted.of_element.len(), |indices| {
        plcc(&predicted.resample(indices).ranks(), &mos.resample(indices).ranks())
    })
}

/// 95 % interval of [`super::correlation::plcc`].
///
/// `None` when the metric does not exist, or not for each resample.
pub fn plcc_interval(predicted: &[f64], mos: &[f64]) -> Option<Interval> {
    if !are_comparable(predicted, mos) {
        return None;
    }
    let pick = |values: &[f64], indices: &[usize]| -> Vec<f64> { indices.iter().map(|&i| values[i]).collect() };
    interval(predicted.len(), |indices| plcc(&pick(predicted, indices), &pick(mos, indices)))
}

/// The interval of a metric over resamples of `n` pairs.
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

/// The high half of a product, rather than `rand`'s own draw, which may change between its versions.
/// Its bias is below `n / 2³²`.
fn index_below(n: usize, random: &mut ChaCha8Rng) -> usize {
    ((u64::from(random.next_u32()) * n as u64) >> 32) as usize
}

/// Linear between neighbours, `numpy.quantile`'s default; `sorted` is not empty.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let lower = position.floor() as usize;
    let upper = (lower + 1).min(sorted.len() - 1);
    sorted[lower] + (sorted[upper] - sorted[lower]) * (position - lower as f64)
}
