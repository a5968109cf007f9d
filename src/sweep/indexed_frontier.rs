//! The frontier of a sweep that evaluates every pair.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use super::results::Kept;
use crate::pareto::{compare_costs, dominance};

/// Costs in the order of the first, then of the next.
#[derive(Clone, Debug)]
struct Costs(Vec<f64>);

impl Ord for Costs {
    fn cmp(&self, other: &Self) -> Ordering {
        compare_costs(&self.0, &other.0)
    }
}

impl PartialOrd for Costs {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Costs {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Costs {}

/// The points that no other dominates, in the order of their costs.
#[derive(Clone, Debug, Default)]
pub(super) struct Front(BTreeMap<Costs, Kept>);

impl Front {
    /// Offers a point; of equal ones the first stays and counts the others.
    ///
    /// A point can be dominated only by one before it in the order of costs, and dominates only those behind it.
    /// Of two costs, the second falls where the first rises: what comes just before decides, and those dominated
    /// follow one another.
    pub(super) fn offer(&mut self, costs: Vec<f64>, kept: Kept) {
        let is_staircase = costs.len() <= 2;
        let costs = Costs(costs);
        if let Some(equal) = self.0.get_mut(&costs) {
            equal.pairs += kept.pairs;
            return;
        }
        let dominates = |a: &Costs, b: &Costs| dominance(&a.0, &b.0) == Some(Ordering::Less);
        let mut before = self.0.range(..&costs).rev().map(|(known, _)| known);
        let is_dominated = if is_staircase {
            before.next().is_some_and(|known| dominates(known, &costs))
        } else {
            before.any(|known| dominates(known, &costs))
        };
        if is_dominated {
            return;
        }
        let behind = self.0.range((Bound::Excluded(&costs), Bound::Unbounded));
        let behind = behind.map(|(known, _)| known);
        let beaten: Vec<Costs> = if is_staircase {
            behind.take_while(|known| dominates(&costs, known)).cloned().collect()
        } else {
            behind.filter(|known| dominates(&costs, known)).cloned().collect()
        };
        for known in &beaten {
            self.0.remove(known);
        }
        self.0.insert(costs, kept);
    }

    /// The points, in the order of their costs.
    pub(super) fn kept(&self) -> impl Iterator<Item = &Kept> {
        self.0.values()
    }

    /// As [`Self::kept`], without the frontier.
    pub(super) fn into_kept(self) -> Vec<Kept> {
        self.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(network: usize) -> Kept {
        let network = u32::try_from(network).unwrap();
        Kept { network, configuration: 0, metrics: BTreeMap::new(), pairs: 1 }
    }

    fn equals_brute_force(points: &[Vec<f64>]) {
        let mut front = Front::default();
        for (index, point) in points.iter().enumerate() {
            front.offer(point.clone(), kept(index));
        }
        let mut expected: Vec<(u32, u64)> = Vec::new();
        for (index, point) in points.iter().enumerate() {
            let beaten = points.iter().any(|other| dominance(other, point) == Some(Ordering::Less));
            let first = points.iter().position(|other| other == point) == Some(index);
            if !beaten && first {
                let equal = points.iter().filter(|other| *other == point).count();
                expected.push((index as u32, equal as u64));
            }
        }
        let mut found: Vec<(u32, u64)> = front.kept().map(|k| (k.network, k.pairs)).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    proptest! {
        #[test]
        fn one_two_and_three_costs_equal_brute_force(
            points in prop::collection::vec(prop::collection::vec(0u8..6, 3), 1..60)
        ) {
            for costs in 1..=3 {
                let point = |p: &Vec<u8>| p[..costs].iter().map(|&v| f64::from(v)).collect();
                let points: Vec<Vec<f64>> = points.iter().map(point).collect();
                equals_brute_force(&points);
            }
        }
    }
}
