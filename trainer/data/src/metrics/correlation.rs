//! Spearman and Pearson correlation, and the root of the mean squared error.

/// Spearman rank correlation of predictions and opinion scores, in [-1, 1]; higher is better.
///
/// Ties get the mean of their ranks, as in `scipy.stats.spearmanr`. Returns `None` if the lengths differ, if a number
/// is not finite, or if all values of a side are equal.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::metrics::srcc;
///
/// assert_eq!(srcc(&[1.0, 2.0, 8.0], &[0.1, 0.2, 0.3]), Some(1.0));
/// assert_eq!(srcc(&[1.0, 2.0, 8.0], &[2.0, 2.0, 2.0]), None);
/// ```
pub fn srcc(predicted: &[f64], mos: &[f64]) -> Option<f64> {
    if !are_comparable(predicted, mos) {
        return None;
    }
    plcc(&DenseRanks::of(predicted).ranks(), &DenseRanks::of(mos).ranks())
}

/// Pearson correlation of predictions and opinion scores, in [-1, 1]; higher is better.
///
/// Returns `None` if the lengths differ, if a number is not finite, or if all values of a side are equal.
pub fn plcc(predicted: &[f64], mos: &[f64]) -> Option<f64> {
    if !are_comparable(predicted, mos) || is_constant(predicted) || is_constant(mos) {
        return None;
    }
    let (predicted, mos) = (deviations(predicted), deviations(mos));
    // With a single square root, the result is exactly 1 for equal sides.
    let correlation = dot(&predicted, &mos) / (dot(&predicted, &predicted) * dot(&mos, &mos)).sqrt();
    Some(correlation.clamp(-1.0, 1.0))
}

/// Root of the mean squared error, on the opinion scale; lower is better.
///
/// Returns `None` if the lengths differ, if there are no pairs, or if a number is not finite.
pub fn rmse(predicted: &[f64], mos: &[f64]) -> Option<f64> {
    if !are_pairs(predicted, mos) || predicted.is_empty() {
        return None;
    }
    let squares: f64 = predicted.iter().zip(mos).map(|(p, m)| (p - m).powi(2)).sum();
    Some((squares / predicted.len() as f64).sqrt())
}

/// The dense ranks of values: equal values have the same rank, and there are no gaps.
///
/// A resample takes the dense ranks of its elements, so that its ranks are computed without sorting.
pub(super) struct DenseRanks {
    /// The dense rank of each element, counted from 0 in ascending order.
    pub(super) of_element: Vec<usize>,
    n_distinct: usize,
}

impl DenseRanks {
    /// Ranks values, which must be finite.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
        let mut of_element = vec![0; values.len()];
        let mut rank = 0;
        for pair in order.windows(2) {
            // `total_cmp` would make -0 and 0 different.
            rank += usize::from(values[pair[0]] != values[pair[1]]);
            of_element[pair[1]] = rank;
        }
        Self { of_element, n_distinct: rank + 1 }
    }

    /// Returns the dense ranks of the elements at `indices`, among all values.
    pub(super) fn resample(&self, indices: &[usize]) -> Self {
        Self { of_element: indices.iter().map(|&i| self.of_element[i]).collect(), n_distinct: self.n_distinct }
    }

    /// Returns the ranks from 1, where ties get the mean of their ranks.
    pub(super) fn ranks(&self) -> Vec<f64> {
        let mut counts = vec![0_usize; self.n_distinct];
        for &rank in &self.of_element {
            counts[rank] += 1;
        }
        let mut below = 0;
        let mut mean_ranks = Vec::with_capacity(self.n_distinct);
        for count in counts {
            mean_ranks.push(below as f64 + (count as f64 + 1.0) / 2.0);
            below += count;
        }
        self.of_element.iter().map(|&rank| mean_ranks[rank]).collect()
    }
}

/// Returns whether the sides have the same length and all numbers are finite.
fn are_pairs(predicted: &[f64], mos: &[f64]) -> bool {
    predicted.len() == mos.len() && predicted.iter().chain(mos).all(|value| value.is_finite())
}

/// Returns whether there are at least two pairs of finite numbers.
pub(super) fn are_comparable(predicted: &[f64], mos: &[f64]) -> bool {
    predicted.len() >= 2 && are_pairs(predicted, mos)
}

pub(super) fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|&value| value == values[0])
}

/// Returns the deviations from the mean, divided by the largest one, so that their squares neither overflow nor vanish.
///
/// `values` must not all be equal.
pub(super) fn deviations(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max((value - mean).abs()));
    values.iter().map(|value| (value - mean) / largest).collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
