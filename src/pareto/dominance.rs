//! Dominance between cost vectors. Lower costs are better.

use std::cmp::Ordering;

/// Compares two costs. Zeros of either sign are equal; a positive NaN is above all numbers, a negative one
/// below.
pub(super) fn compare_cost(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| a.total_cmp(&b))
}

/// Compares cost vectors lexicographically.
pub fn compare_costs(a: &[f64], b: &[f64]) -> Ordering {
    let mut orders = a.iter().zip(b).map(|(&a, &b)| compare_cost(a, b));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// Compares two cost vectors: `Less` if the first dominates the second, `Greater` if it is
/// dominated, `Equal` if they are the same, `None` if neither dominates.
pub fn dominance(a: &[f64], b: &[f64]) -> Option<Ordering> {
    let mut order = Ordering::Equal;
    for (&a, &b) in a.iter().zip(b) {
        match (order, compare_cost(a, b)) {
            (_, Ordering::Equal) => {}
            (Ordering::Equal, other) => order = other,
            (known, other) if known != other => return None,
            _ => {}
        }
    }
    Some(order)
}

/// Returns true if the first vector dominates the second: no cost is higher and at least one is lower.
pub fn dominates(a: &[f64], b: &[f64]) -> bool {
    dominance(a, b) == Some(Ordering::Less)
}

/// Returns true if no cost of the first vector is higher than that of the second.
pub(super) fn at_most(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(&a, &b)| compare_cost(a, b).is_le())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dominance_is_less_somewhere_and_more_nowhere() {
        let compared = [
            (&[1.0, 2.0][..], &[1.0, 3.0][..], Some(Ordering::Less)),
            (&[1.0, 3.0], &[1.0, 2.0], Some(Ordering::Greater)),
            (&[1.0, 2.0], &[2.0, 1.0], None),
            (&[1.0, 2.0], &[1.0, 2.0], Some(Ordering::Equal)),
            (&[0.0, 1.0], &[-0.0, 1.0], Some(Ordering::Equal)),
            (&[0.0, 1.0], &[-0.0, 2.0], Some(Ordering::Less)),
            (&[f64::NEG_INFINITY], &[f64::INFINITY], Some(Ordering::Less)),
            (&[], &[], Some(Ordering::Equal)),
        ];
        for (a, b, expected) in compared {
            assert_eq!(dominance(a, b), expected, "{a:?} {b:?}");
            assert_eq!(dominance(b, a), expected.map(Ordering::reverse), "{b:?} {a:?}");
            assert_eq!(dominates(a, b), expected == Some(Ordering::Less), "{a:?} {b:?}");
            let is_at_most = matches!(expected, Some(Ordering::Less | Ordering::Equal));
            assert_eq!(at_most(a, b), is_at_most, "{a:?} {b:?}");
        }
    }

    #[test]
    fn a_vector_comes_before_those_it_dominates() {
        assert_eq!(compare_costs(&[0.0, 1.0], &[-0.0, 2.0]), Ordering::Less);
        assert_eq!(compare_costs(&[1.0, 9.0], &[2.0, 0.0]), Ordering::Less);
        assert_eq!(compare_costs(&[1.0, 2.0], &[1.0, 2.0]), Ordering::Equal);
        assert_eq!(compare_costs(&[f64::NAN], &[f64::INFINITY]), Ordering::Greater);
    }
}
