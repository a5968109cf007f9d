//! Ranges of numbers as lists of options.
//!
//! A real range is a grid. Points store options by index, so a grid makes points countable, comparable, and
//! readable from their texts without loss; a controller treats it like any other ordered choice.

use crate::space::Value;

/// The number of values of a real range without a given number: hundredths of the range, finer than a search
/// of thousands of trials distinguishes.
pub const DEFAULT_STEPS: usize = 101;

/// The maximum number of options of a choice: a point stores their indices in 16 bits.
const MAX: u64 = 1 << 16;

/// Numbers of significant digits for rounding real values; the first that moves no value too far is used.
/// This keeps texts short, and values independent of the platform.
const DIGITS: [usize; 4] = [6, 9, 12, 17];

/// The maximum distance that rounding may move a value, relative to the distance to its neighbors.
const MOVED: f64 = 1e-3;

/// Bounds that do not define a list of options.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RangeError {
    /// A bound that is infinite or not a number.
    #[error("its bounds are {low} and {high}; both must be finite")]
    Infinite {
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
    /// Bounds in the wrong order.
    #[error("its lower bound {low} is not below its upper bound {high}")]
    Order {
        /// The lower bound, as a text.
        low: String,
        /// The upper bound, as a text.
        high: String,
    },
    /// A logarithmic range that reaches zero or below.
    #[error("its lower bound is {low}; a range with `log: true` starts above 0")]
    NotPositive {
        /// The lower bound, as a text.
        low: String,
    },
    /// An upper bound that no step meets.
    #[error(
        "its steps go from {below} to {above} and miss the upper bound {high}; end it at {below}"
    )]
    Missed {
        /// The upper bound.
        high: i64,
        /// The last value up to the bound.
        below: i64,
        /// The first value beyond the bound.
        above: i128,
    },
    /// More values than a point can index.
    #[error("it has {count} values; a choice has at most 65,536: take larger steps")]
    TooMany {
        /// The number of values.
        count: u64,
    },
    /// Fewer values than the two bounds.
    #[error("it has {steps} steps; there are at least 2, the bounds")]
    TooFew {
        /// The requested number of values.
        steps: u64,
    },
    /// More values than there are floating-point numbers between the bounds.
    #[error("there are not {steps} different numbers between {low} and {high}: take fewer steps")]
    TooFine {
        /// The requested number of values.
        steps: u64,
        /// The lower bound.
        low: f64,
        /// The upper bound.
        high: f64,
    },
}

/// Lists the integers from `low` to `high`, `step` apart.
///
/// # Errors
/// Returns an error if `low` is not below `high`, if no step meets `high`, or for more than 65,536 integers.
pub fn integers(low: i64, high: i64, step: u64) -> Result<Vec<Value>, RangeError> {
    if low >= high {
        return Err(RangeError::Order { low: low.to_string(), high: high.to_string() });
    }
    let step = i128::from(step.max(1));
    let span = i128::from(high) - i128::from(low);
    let count = u64::try_from(span / step).map_or(u64::MAX, |steps| steps.saturating_add(1));
    if count > MAX {
        return Err(RangeError::TooMany { count });
    }
    let at = |index: u64| i128::from(low) + i128::from(index) * step;
    let values: Vec<i64> = (0..count).filter_map(|index| i64::try_from(at(index)).ok()).collect();
    ending_at(high, &values, at(count))
}

/// Lists `low`, twice `low`, and so on, doubling up to `high`.
///
/// # Errors
/// Returns an error if `low` is not above zero or not below `high`, or if no doubling meets `high`.
pub fn powers_of_two(low: i64, high: i64) -> Result<Vec<Value>, RangeError> {
    if low <= 0 {
        return Err(RangeError::NotPositive { low: low.to_string() });
    }
    if low >= high {
        return Err(RangeError::Order { low: low.to_string(), high: high.to_string() });
    }
    let doubled = std::iter::successors(Some(low), |value| value.checked_mul(2));
    let values: Vec<i64> = doubled.take_while(|value| *value <= high).collect();
    let above = values.last().map_or(0, |&last| 2 * i128::from(last));
    ending_at(high, &values, above)
}

fn ending_at(high: i64, values: &[i64], above: i128) -> Result<Vec<Value>, RangeError> {
    match values.last() {
        Some(&last) if last != high => Err(RangeError::Missed { high, below: last, above }),
        _ => Ok(values.iter().map(|&value| Value::Int(value)).collect()),
    }
}

/// Lists `steps` real numbers from `low` to `high`, both included, with equal distances, or with `log` equal
/// ratios.
///
/// The bounds are exact. The values between are rounded to 6 significant digits, or to the first number of
/// digits that moves no value by more than a thousandth of the distance to its neighbors.
///
/// # Errors
/// Returns an error if a bound is not finite, if `low` is not below `high`, for a logarithmic range that is
/// not above zero, for fewer than 2 or more than 65,536 steps, and for more steps than there are
/// floating-point numbers.
pub fn reals(low: f64, high: f64, steps: u64, log: bool) -> Result<Vec<Value>, RangeError> {
    if !(low.is_finite() && high.is_finite()) {
        return Err(RangeError::Infinite { low, high });
    }
    if low >= high {
        return Err(RangeError::Order { low: low.to_string(), high: high.to_string() });
    }
    if log && low <= 0.0 {
        return Err(RangeError::NotPositive { low: low.to_string() });
    }
    if steps < 2 {
        return Err(RangeError::TooFew { steps });
    }
    if steps > MAX {
        return Err(RangeError::TooMany { count: steps });
    }
    let between = |from: f64, to: f64, share: f64| from * (1.0 - share) + to * share;
    // What is left of two bounds that cancel out is nothing.
    let least = 1e-9 * (high / (steps - 1) as f64 - low / (steps - 1) as f64);
    let at = |index: u64| {
        // There are at most 65,536 steps.
        let share = index as f64 / (steps - 1) as f64;
        match (index, log) {
            (0, _) => low,
            _ if index == steps - 1 => high,
            (_, false) => match between(low, high, share) {
                value if value.abs() < least => 0.0,
                value => value,
            },
            // Not the system's functions, which round differently on different processors.
            (_, true) => libm::exp(between(libm::log(low), libm::log(high), share)),
        }
    };
    let exact: Vec<f64> = (0..steps).map(at).collect();
    let distinct = |values: &[f64]| values.is_sorted_by(|a, b| a < b);
    let suits = |rounded: &[f64]| {
        let moved = |index: usize| (rounded[index] - exact[index]).abs();
        distinct(rounded)
            && exact.windows(2).enumerate().all(|(index, pair)| {
                let most = MOVED * (pair[1] - pair[0]);
                moved(index) <= most && moved(index + 1) <= most
            })
    };
    let last = exact.len() - 1;
    let rounded = |digits: usize| -> Vec<f64> {
        let round = |(index, &value): (usize, &f64)| match index {
            0 => low,
            _ if index == last => high,
            _ => format!("{value:.*e}", digits - 1).parse().unwrap_or(value),
        };
        exact.iter().enumerate().map(round).collect()
    };
    let found = DIGITS.into_iter().map(rounded).find(|values| suits(values));
    let values = match found {
        Some(values) => values,
        None if distinct(&exact) => exact,
        None => return Err(RangeError::TooFine { steps, low, high }),
    };
    Ok(values.into_iter().map(Value::Float).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(values: Result<Vec<Value>, RangeError>) -> String {
        match values {
            Ok(values) => values.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn whole_numbers_go_by_steps_or_double() {
        assert_eq!(texts(integers(4, 16, 4)), "4 8 12 16");
        assert_eq!(texts(integers(-1, 1, 1)), "-1 0 1");
        assert_eq!(texts(powers_of_two(3, 24)), "3 6 12 24");
        assert_eq!(integers(i64::MIN, i64::MAX, u64::MAX).map(|values| values.len()), Ok(2));
        for (values, error) in [
            (integers(4, 4, 1), "its lower bound 4 is not below its upper bound 4"),
            (
                integers(4, 63, 4),
                "its steps go from 60 to 64 and miss the upper bound 63; end it at 60",
            ),
            (
                integers(0, 65_536, 1),
                "it has 65537 values; a choice has at most 65,536: take larger steps",
            ),
            (
                integers(i64::MIN, i64::MAX, 1),
                "it has 18446744073709551615 values; a choice has at most 65,536: take larger steps",
            ),
            (powers_of_two(0, 8), "its lower bound is 0; a range with `log: true` starts above 0"),
            (
                powers_of_two(1, 48),
                "its steps go from 32 to 64 and miss the upper bound 48; end it at 32",
            ),
        ] {
            assert_eq!(texts(values), error);
        }
    }

    #[test]
    fn real_numbers_are_grids_with_short_texts() {
        assert_eq!(texts(reals(0.1, 0.5, 5, false)), "0.1 0.2 0.3 0.4 0.5");
        assert_eq!(texts(reals(0.0, 1.0, 4, false)), "0 0.333333 0.666667 1");
        assert_eq!(texts(reals(1e-4, 1e-1, 4, true)), "0.0001 0.001 0.01 0.1");
        assert_eq!(texts(reals(1.0, 4.0, 3, true)), "1 2 4");
        assert_eq!(texts(reals(-1e300, 1e300, 3, false)).split(' ').nth(1), Some("0"));
        // Six digits would not tell these apart.
        assert_eq!(texts(reals(1.0, 1.000_001, 3, false)), "1 1.0000005 1.000001");
        let fine = reals(100.0, 800.0, 65_536, false).unwrap();
        assert_eq!(fine.len(), 65_536);
        for (values, error) in [
            (reals(0.0, f64::INFINITY, 3, false), "its bounds are 0 and inf; both must be finite"),
            (reals(2.0, 1.0, 3, false), "its lower bound 2 is not below its upper bound 1"),
            (
                reals(0.0, 1.0, 3, true),
                "its lower bound is 0; a range with `log: true` starts above 0",
            ),
            (reals(0.0, 1.0, 1, false), "it has 1 steps; there are at least 2, the bounds"),
            (
                reals(1.0, 1.0 + f64::EPSILON, 3, false),
                "there are not 3 different numbers between 1 and 1.0000000000000002: take fewer \
                 steps",
            ),
        ] {
            assert_eq!(texts(values), error);
        }
    }

    #[test]
    fn ranges_around_zero_have_it() {
        let real = |low, high, steps| texts(reals(low, high, steps, false));
        assert_eq!(real(-0.1, 0.2, 4), "-0.1 0 0.1 0.2");
        for (low, high) in (-10..0).flat_map(|low| (1..=10).map(move |high| (low, high))) {
            let values = reals(f64::from(low), f64::from(high), 101, false).unwrap();
            let longest = values.iter().map(|value| value.to_string().len()).max();
            assert!(longest <= Some(7), "{low} {high}: {}", texts(Ok(values)));
        }
        assert!(real(-2.0, 3.0, 101).contains(" -0.05 0 0.05 "));
        assert_eq!(real(-f64::MAX, f64::MAX, 3).split(' ').nth(1), Some("0"));
    }
}
