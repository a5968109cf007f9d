//! Measures of the agreement of predictions with the truth.

use std::cmp::Ordering;

/// Agreement of predictions with the truth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quality {
    /// The number of values compared.
    pub count: usize,
    /// Kendall's tau-b: from -1 to 1.
    pub kendall_tau: f64,
    /// Spearman's rank correlation: from -1 to 1.
    pub spearman: f64,
    /// The mean absolute error.
    pub mean_absolute_error: f64,
}

impl Quality {
    /// Compares predictions with the truth.
    pub fn new(predicted: &[f64], truth: &[f64]) -> Self {
        let errors: f64 = predicted.iter().zip(truth).map(|(p, t)| (p - t).abs()).sum();
        Self {
            count: truth.len(),
            kendall_tau: kendall_tau(predicted, truth),
            spearman: spearman(predicted, truth),
            mean_absolute_error: errors / truth.len() as f64,
        }
    }
}

/// Kendall's tau-b of two sequences, from -1 to 1.
///
/// Counts inversions in a merge sort (W. R. Knight, "A computer method for calculating Kendall's tau with
/// ungrouped data", JASA 61, 1966).
pub fn kendall_tau(a: &[f64], b: &[f64]) -> f64 {
    let mut pairs: Vec<(f64, f64)> = a.iter().copied().zip(b.iter().copied()).collect();
    pairs.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.total_cmp(&y.1)));
    let of_two = |n: usize| (n as f64) * (n as f64 - 1.0) / 2.0;
    let tied = |same: fn(&(f64, f64), &(f64, f64)) -> bool, pairs: &[(f64, f64)]| -> f64 {
        pairs.chunk_by(same).map(|group| of_two(group.len())).sum()
    };
    let tied_a = tied(|x, y| x.0 == y.0, &pairs);
    let tied_both = tied(|x, y| x == y, &pairs);
    let mut values: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    let swaps = inversions(&mut values);
    let sorted: Vec<(f64, f64)> = values.into_iter().map(|value| (value, 0.0)).collect();
    let tied_b = tied(|x, y| x.0 == y.0, &sorted);
    let all = of_two(pairs.len());
    let difference = all - tied_a - tied_b + tied_both - 2.0 * swaps as f64;
    difference / ((all - tied_a) * (all - tied_b)).sqrt()
}

/// Sorts the values and returns the number of pairs in descending order.
fn inversions(values: &mut [f64]) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let (left, right) = values.split_at_mut(values.len() / 2);
    let mut count = inversions(left) + inversions(right);
    let mut merged = Vec::with_capacity(left.len() + right.len());
    let (mut i, mut j) = (0, 0);
    while i < left.len() && j < right.len() {
        if right[j] < left[i] {
            count += (left.len() - i) as u64;
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    values.copy_from_slice(&merged);
    count
}

/// Spearman's rank correlation, from -1 to 1; equal values share their mean rank.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let (mut product, mut square_a, mut square_b) = (0.0, 0.0, 0.0);
    for (a, b) in a.iter().zip(&b) {
        product += (a - mean) * (b - mean);
        square_a += (a - mean) * (a - mean);
        square_b += (b - mean) * (b - mean);
    }
    product / (square_a * square_b).sqrt()
}

fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].partial_cmp(&values[b]).unwrap_or(Ordering::Equal));
    let mut ranks = vec![0.0; values.len()];
    let mut first = 0;
    for group in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let shared = first as f64 + (group.len() as f64 - 1.0) / 2.0;
        group.iter().for_each(|&index| ranks[index] = shared);
        first += group.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tau_is_counted_over_all_pairs(
            pairs in prop::collection::vec((0u8..9, 0u8..9), 2..40)
        ) {
            let a: Vec<f64> = pairs.iter().map(|p| f64::from(p.0)).collect();
            let b: Vec<f64> = pairs.iter().map(|p| f64::from(p.1)).collect();
            let (mut agree, mut untied_a, mut untied_b) = (0.0, 0.0, 0.0);
            for i in 0..a.len() {
                for j in 0..i {
                    let sign = |x: f64| if x == 0.0 { 0.0 } else { x.signum() };
                    let (of_a, of_b) = (sign(a[i] - a[j]), sign(b[i] - b[j]));
                    agree += of_a * of_b;
                    untied_a += of_a * of_a;
                    untied_b += of_b * of_b;
                }
            }
            prop_assume!(untied_a > 0.0 && untied_b > 0.0);
            let expected = agree / f64::sqrt(untied_a * untied_b);
            prop_assert!((kendall_tau(&a, &b) - expected).abs() < 1e-12);
        }
    }

    /// Figures of scipy.stats 1.11 (kendalltau, spearmanr).
    #[test]
    fn correlations_are_those_of_scipy() {
        let a = [12.0, 2.0, 1.0, 12.0, 2.0];
        let b = [1.0, 4.0, 7.0, 1.0, 0.0];
        assert!((kendall_tau(&a, &b) + 0.471_404_520_791_031_7).abs() < 1e-12);
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [5.0, 6.0, 7.0, 8.0, 7.0]);
        assert!((spearman(&a, &b) - 0.820_782_681_668_123_3).abs() < 1e-12);
    }
}
