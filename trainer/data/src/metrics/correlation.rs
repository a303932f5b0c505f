//! Spearman and Pearson correlation and the mean squared error, and the ranks that they are computed from.

/// Spearman rank correlation of predictions and opinion scores, in [-1, 1]; higher is better.
///
/// Ties share the mean of their ranks, as in `scipy.stats.spearmanr`. `None` when the lengths
/// differ, a side is constant or a number is not finite: then no ranking exists.
pub fn srcc(predicted: &[f64], mos: &[f64]) -> Option<f64> {
    if !are_comparable(predicted, mos) {
        return None;
    }
    plcc(&Levels::of(predicted).ranks(), &Levels::of(mos).ranks())
}

/// Pearson correlation of predictions and opinion scores, in [-1, 1]; higher is better.
///
/// `None` when the lengths differ, a side is constant or a number is not finite.
pub fn plcc(predicted: &[f64], mos: &[f64]) -> Option<f64> {
    if !are_comparable(predicted, mos) || is_constant(predicted) || is_constant(mos) {
        return None;
    }
    let (predicted, mos) = (deviations(predicted), deviations(mos));
    // One root, so that sides that agree perfectly have exactly 1.
    let correlation = dot(&predicted, &mos) / (dot(&predicted, &predicted) * dot(&mos, &mos)).sqrt();
    Some(correlation.clamp(-1.0, 1.0))
}

/// Root of the mean squared error, on the opinion scale; lower is better.
///
/// `None` when the lengths differ, there is no pair or a number is not finite.
pub fn rmse(predicted: &[f64], mos: &[f64]) -> Option<f64> {
    if !are_pairs(predicted, mos) || predicted.is_empty() {
        return None;
    }
    let squares: f64 = predicted.iter().zip(mos).map(|(p, m)| (p - m).powi(2)).sum();
    Some((squares / predicted.len() as f64).sqrt())
}

/// The values of a side in order: which distinct value each element has.
///
/// A resample has the levels of its elements, and so gets its ranks without being sorted.
pub(super) struct Levels {
    /// The level of each element, counted from 0 in ascending order.
    pub(super) of_element: Vec<usize>,
    n_levels: usize,
}

impl Levels {
    /// `values` are finite.
    pub(super) fn of(values: &[f64]) -> Self {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
        let mut of_element = vec![0; values.len()];
        let mut level = 0;
        for pair in order.windows(2) {
            // Not by `total_cmp`, for which -0 is below 0.
            level += usize::from(values[pair[0]] != values[pair[1]]);
            of_element[pair[1]] = level;
        }
        Self { of_element, n_levels: level + 1 }
    }

    /// The elements at `indices`.
    pub(super) fn resample(&self, indices: &[usize]) -> Self {
        Self { of_element: indices.iter().map(|&i| self.of_element[i]).collect(), n_levels: self.n_levels }
    }

    /// Ranks from 1; ties share their mean.
    pub(super) fn ranks(&self) -> Vec<f64> {
        let mut counts = vec![0_usize; self.n_levels];
        for &level in &self.of_element {
            counts[level] += 1;
        }
        let mut below = 0;
        let mut rank_of_level = Vec::with_capacity(self.n_levels);
        for count in counts {
            rank_of_level.push(below as f64 + (count as f64 + 1.0) / 2.0);
            below += count;
        }
        self.of_element.iter().map(|&level| rank_of_level[level]).collect()
    }
}

/// Two sides of one length, each number finite.
fn are_pairs(predicted: &[f64], mos: &[f64]) -> bool {
    predicted.len() == mos.len() && predicted.iter().chain(mos).all(|value| value.is_finite())
}

/// At least two pairs.
pub(super) fn are_comparable(predicted: &[f64], mos: &[f64]) -> bool {
    predicted.len() >= 2 && are_pairs(predicted, mos)
}

pub(super) fn is_constant(values: &[f64]) -> bool {
    values.iter().all(|&value| value == values[0])
}

/// Deviations from the mean, the largest 1, so that squares of tiny and huge ones are still numbers;
/// `values` is not constant.
pub(super) fn deviations(values: &[f64]) -> Vec<f64> {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let largest = values.iter().fold(0.0, |largest: f64, value| largest.max((value - mean).abs()));
    values.iter().map(|value| (value - mean) / largest).collect()
}

pub(super) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
