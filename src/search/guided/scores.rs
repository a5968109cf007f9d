//! Costs on a scale that suits regression.

/// The normal score of each value's rank; equal values have equal scores.
///
/// At the share u of lower values, with equal ones counted half, the score is the quantile of Tukey's lambda
/// distribution with lambda 1/8: `8 (u^(1/8) - (1 - u)^(1/8))`. It is near the normal quantile and takes
/// square roots alone: the same on every processor.
pub fn ranked(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut scores = vec![0.0; values.len()];
    let root = |u: f64| u.sqrt().sqrt().sqrt();
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let before = order.partition_point(|&other| values[other] < values[equal[0]]);
        let share = (before as f64 + 0.5 * equal.len() as f64) / values.len() as f64;
        for &index in equal {
            scores[index] = 8.0 * (root(share) - root(1.0 - share));
        }
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_the_order_and_are_near_the_normal_ones() {
        let values: Vec<f64> = (0..999).map(|i| f64::from(i * 613 % 999).powi(3)).collect();
        let scores = ranked(&values);
        for (a, x) in values.iter().zip(&scores) {
            for (b, y) in values.iter().zip(&scores).step_by(37) {
                assert_eq!(a.total_cmp(b), x.total_cmp(y));
            }
        }
        let mean = scores.iter().sum::<f64>() / 999.0;
        assert!(mean.abs() < 1e-9, "{mean}");
        // Three quarters and the tail, in units of the deviation: 0.674 and 2.326 of the normal one.
        let deviation = (scores.iter().map(|s| s * s).sum::<f64>() / 999.0).sqrt();
        let mut sorted = scores;
        sorted.sort_by(f64::total_cmp);
        assert!((sorted[749] / deviation - 0.674).abs() < 0.02, "{}", sorted[749] / deviation);
        assert!((sorted[988] / deviation - 2.326).abs() < 0.06, "{}", sorted[988] / deviation);
    }
}
