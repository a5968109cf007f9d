//! The set of non-dominated cost vectors, kept up to date as vectors arrive.

use std::cmp::Ordering;

use super::dominance::{compare_costs, dominance};

/// The non-dominated among the vectors offered so far, each with something it stands for.
///
/// Of several equal vectors the first stays.
#[derive(Clone, Debug, Default)]
pub struct Frontier<T> {
    members: Vec<(Vec<f64>, T)>,
}

impl<T> Frontier<T> {
    /// Makes an empty frontier.
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    /// Offers a vector of costs; says whether it joined the frontier.
    ///
    /// Costs must not be NaN.
    pub fn offer(&mut self, costs: Vec<f64>, item: T) -> bool {
        let beaten = |m: &(Vec<f64>, T)| {
            matches!(dominance(&m.0, &costs), Some(Ordering::Less | Ordering::Equal))
        };
        if self.members.iter().any(beaten) {
            return false;
        }
        self.members.retain(|m| dominance(&costs, &m.0) != Some(Ordering::Less));
        self.members.push((costs, item));
        true
    }

    /// The members, in the order in which they joined.
    pub fn members(&self) -> &[(Vec<f64>, T)] {
        &self.members
    }

    /// The members, best first by the first cost, then by the next.
    pub fn sorted(&self) -> Vec<&(Vec<f64>, T)> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by(|a, b| compare_costs(&a.0, &b.0));
        members
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_brute_force(
            points in prop::collection::vec(prop::collection::vec(0u8..6, 3), 1..60)
        ) {
            let points: Vec<Vec<f64>> =
                points.iter().map(|p| p.iter().map(|&v| f64::from(v)).collect()).collect();
            let mut frontier = Frontier::new();
            for (index, point) in points.iter().enumerate() {
                frontier.offer(point.clone(), index);
            }
            let expected: Vec<usize> = (0..points.len())
                .filter(|&i| {
                    points.iter().enumerate().all(|(j, other)| match dominance(other, &points[i]) {
                        Some(Ordering::Less) => false,
                        Some(Ordering::Equal) => i <= j,
                        _ => true,
                    })
                })
                .collect();
            let mut found: Vec<usize> = frontier.members().iter().map(|m| m.1).collect();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
