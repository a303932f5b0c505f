//! Kendall's tau-b in O(n log n) (Knight 1966, "A computer method for calculating Kendall's tau with
//! ungrouped data").

use super::correlation::{DenseRanks, are_comparable};

/// Kendall rank correlation (tau-b) of predictions and opinion scores, in [-1, 1]; higher is better.
///
/// ```text
/// τ_b = (C − D) / √((T − T_p)(T − T_m))
/// ```
/// C is the number of concordant pairs, D of discordant pairs, T of all pairs. T_p and T_m are the numbers of pairs
/// that are tied in the predictions and in the opinion scores. The result equals that of `scipy.stats.kendalltau`.
///
/// Returns `None` if the lengths differ, if a number is not finite, or if all values of a side are equal.
///
/// # Examples
///
/// ```
/// use tsp_mgs_data::metrics::krcc;
///
/// assert_eq!(krcc(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
/// ```
pub fn krcc(predicted: &[f64], mos: &[f64]) -> Option<f64> {
    if !are_comparable(predicted, mos) {
        return None;
    }
    let (predicted, mos) = (DenseRanks::of(predicted).of_element, DenseRanks::of(mos).of_element);
    let mut pairs: Vec<(usize, usize)> = predicted.into_iter().zip(mos).collect();
    pairs.sort_unstable();
    let all = n_pairs(pairs.len());
    let tied_predicted = tied_pairs(pairs.iter().map(|pair| pair.0));
    let tied_both = tied_pairs(pairs.iter().copied());
    let mut mos: Vec<usize> = pairs.into_iter().map(|pair| pair.1).collect();
    // The pairs are sorted by prediction and then by opinion score, so that each inversion is a discordant pair.
    let discordant = sort_counting_inversions(&mut mos);
    let tied_mos = tied_pairs(mos.iter().copied());
    if all == tied_predicted || all == tied_mos {
        return None;
    }
    // C = T − T_p − T_m + T_both − D: T_p and T_m both contain the pairs that are tied in both sides.
    let difference = (all + tied_both) as f64 - (tied_predicted + tied_mos + 2 * discordant) as f64;
    let tau = difference / ((all - tied_predicted) as f64).sqrt() / ((all - tied_mos) as f64).sqrt();
    Some(tau.clamp(-1.0, 1.0))
}

fn n_pairs(n: usize) -> u64 {
    let n = n as u64;
    n * n.saturating_sub(1) / 2
}

/// Counts the pairs of equal elements in sorted values.
fn tied_pairs<T: PartialEq>(sorted: impl Iterator<Item = T>) -> u64 {
    let (mut pairs, mut equal_before, mut last) = (0, 0, None);
    for value in sorted {
        equal_before = if last.as_ref() == Some(&value) { equal_before + 1 } else { 0 };
        pairs += equal_before;
        last = Some(value);
    }
    pairs
}

/// Sorts by merging, and returns the number of pairs that were in descending order.
fn sort_counting_inversions(values: &mut [usize]) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let middle = values.len() / 2;
    let (left, right) = values.split_at_mut(middle);
    let mut inversions = sort_counting_inversions(left) + sort_counting_inversions(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut l, mut r) = (0, 0);
    while l < left.len() && r < right.len() {
        if left[l] <= right[r] {
            merged.push(left[l]);
            l += 1;
        } else {
            inversions += (left.len() - l) as u64;
            merged.push(right[r]);
            r += 1;
        }
    }
    merged.extend_from_slice(&left[l..]);
    merged.extend_from_slice(&right[r..]);
    values.copy_from_slice(&merged);
    inversions
}
