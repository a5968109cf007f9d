//! Medians, quartiles and bootstrap intervals.
//!
//! Values may be infinite: a run without a result counts below all others, or above them for a time. A median
//! over runs thus needs no exceptions.

use rand::Rng;

use crate::util::rng::ChaCha12Rng;

/// Resamples of a bootstrap interval.
pub const RESAMPLES: usize = 10_000;

/// The fraction of the bootstrap distribution that an interval covers.
pub const COVERAGE: f64 = 0.95;

/// The quantile of sorted values at a fraction from 0 to 1; `None` without values.
///
/// It interpolates linearly between neighbors (Hyndman and Fan's definition 7). Between a finite and an
/// infinite value it is the infinite one.
pub fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    #[expect(clippy::cast_precision_loss, reason = "counts of runs are small")]
    let place = share.clamp(0.0, 1.0) * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to last")]
    let below = place.floor() as usize;
    let (low, weight) = (sorted[below], place.fract());
    let high = sorted[(below + 1).min(last)];
    if weight == 0.0 || low == high || low.is_infinite() {
        return Some(low);
    }
    if high.is_infinite() {
        return Some(high);
    }
    Some(low + weight * (high - low))
}

/// The median and the quartiles of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quartiles {
    /// The lower quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The upper quartile.
    pub high: f64,
}

impl Quartiles {
    /// Computes the quartiles of values in any order; `None` without values.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let at = |share| quantile(&sorted, share);
        Some(Self { low: at(0.25)?, median: at(0.5)?, high: at(0.75)? })
    }
}

/// A difference of two medians, with its bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The difference itself.
    pub difference: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The median of `a` less that of `b`, with the percentile bootstrap interval of [`COVERAGE`] from
/// [`RESAMPLES`] resamples of each.
///
/// `None` if either is empty or has an infinite value.
pub fn median_difference(a: &[f64], b: &[f64], rng: &mut ChaCha12Rng) -> Option<Interval> {
    if a.iter().chain(b).any(|value| !value.is_finite()) {
        return None;
    }
    let difference = median(a.to_vec())? - median(b.to_vec())?;
    let mut differences = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        differences.push(median(resample(a, rng))? - median(resample(b, rng))?);
    }
    differences.sort_by(f64::total_cmp);
    let tail = (1.0 - COVERAGE) / 2.0;
    let (low, high) = (quantile(&differences, tail)?, quantile(&differences, 1.0 - tail)?);
    Some(Interval { difference, low, high })
}

/// The probability that a value of `a` exceeds one of `b`, over all pairs; ties count half (Vargha and
/// Delaney's A). `None` if either is empty.
pub fn superiority(a: &[f64], b: &[f64]) -> Option<f64> {
    let points = |(x, y): (f64, f64)| match x.partial_cmp(&y) {
        Some(std::cmp::Ordering::Greater) => 1.0,
        Some(std::cmp::Ordering::Equal) => 0.5,
        _ => 0.0,
    };
    let sum: f64 = a.iter().flat_map(|&x| b.iter().map(move |&y| points((x, y)))).sum();
    let pairs = a.len() * b.len();
    #[expect(clippy::cast_precision_loss, reason = "counts of runs are small")]
    (pairs > 0).then(|| sum / pairs as f64)
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

fn resample(values: &[f64], rng: &mut ChaCha12Rng) -> Vec<f64> {
    // The same draws on every platform: of a fixed width.
    let count = u32::try_from(values.len()).unwrap_or(u32::MAX);
    (0..count).map(|_| values[rng.random_range(0..count) as usize]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::rng::stream;

    const INF: f64 = f64::INFINITY;

    #[test]
    fn quantiles_are_those_of_definition_7() {
        // R: quantile(c(1, 2, 4, 8), c(0, .25, .5, .75, 1)) is 1, 1.75, 3, 5, 8.
        let values = [1.0, 2.0, 4.0, 8.0];
        let of = |share| quantile(&values, share).unwrap();
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(of), [1.0, 1.75, 3.0, 5.0, 8.0]);
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[7.0], 0.9), Some(7.0));
    }

    #[test]
    fn quartiles_take_any_order_and_infinite_values() {
        let quartiles = Quartiles::of([5.0, 1.0, 4.0, 2.0, 3.0]).unwrap();
        assert_eq!(quartiles, Quartiles { low: 2.0, median: 3.0, high: 4.0 });
        let half = Quartiles::of([-INF, 1.0, -INF, 3.0]).unwrap();
        assert_eq!(half, Quartiles { low: -INF, median: -INF, high: 1.5 });
        let times = Quartiles::of([10.0, INF, 20.0, INF]).unwrap();
        assert_eq!(times, Quartiles { low: 17.5, median: INF, high: INF });
        assert_eq!(Quartiles::of([]), None);
    }

    #[test]
    fn a_difference_has_an_interval_that_the_seed_decides() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0], [0.0, 0.5, 1.0]);
        let of = |seed| median_difference(&a, &b, &mut stream(seed, "test", 0)).unwrap();
        let interval = of(1);
        assert_eq!(interval.difference, 2.5);
        assert!(interval.low < 2.5 && 2.5 < interval.high, "{interval:?}");
        assert!((0.0..=5.0).contains(&interval.low) && interval.high <= 5.0, "{interval:?}");
        assert_eq!(of(1), interval);
        // Without spread there is no doubt.
        let sure = median_difference(&[2.0; 4], &[1.5; 3], &mut stream(1, "test", 0)).unwrap();
        assert_eq!(sure, Interval { difference: 0.5, low: 0.5, high: 0.5 });
        assert_eq!(median_difference(&[-INF, 1.0], &b, &mut stream(1, "test", 0)), None);
        assert_eq!(median_difference(&[], &b, &mut stream(1, "test", 0)), None);
    }

    #[test]
    fn an_interval_is_that_of_the_whole_bootstrap_distribution() {
        // Of the values 0 and 1, a resample's median is 0, 0.5 or 1 with chances 1/4, 1/2, 1/4, so that
        // 2.5 % and 97.5 % are at 0 and 1.
        let interval = median_difference(&[0.0, 1.0], &[0.0], &mut stream(3, "test", 0)).unwrap();
        assert_eq!(interval, Interval { difference: 0.5, low: 0.0, high: 1.0 });
    }

    #[test]
    fn superiority_counts_pairs() {
        // 3 > 1, 3 > 2, 2 > 1 count 1 each, 2 = 2 counts half: 3.5 of 4.
        assert_eq!(superiority(&[2.0, 3.0], &[1.0, 2.0]), Some(0.875));
        assert_eq!(superiority(&[-INF], &[-INF, 0.0]), Some(0.25));
        assert_eq!(superiority(&[], &[1.0]), None);
    }
}
