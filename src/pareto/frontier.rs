//! The set of non-dominated cost vectors, kept up to date as vectors arrive.

use super::cost_tree::{CostTree, Rival};
use super::dominance::compare_costs;

/// Beaten members that are tolerated beyond the number of members before their slots are removed.
const SPARE: usize = 32;

/// The non-dominated cost vectors among those offered so far, each with its item.
///
/// Of several equal vectors the first stays. An offer takes O(log n) time for up to two costs, and far fewer
/// than n steps for three to five.
#[derive(Clone, Debug)]
pub struct Frontier<T> {
    /// The members in the order in which they joined; `None` for a beaten member.
    slots: Vec<Option<(Vec<f64>, T)>>,
    len: usize,
    /// The number of costs of the first vector.
    width: Option<usize>,
    tree: CostTree,
}

impl<T> Default for Frontier<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Frontier<T> {
    /// Makes an empty frontier.
    pub const fn new() -> Self {
        Self { slots: Vec::new(), len: 0, width: None, tree: CostTree::new() }
    }

    /// Offers a vector of costs; returns true if it joined the frontier.
    ///
    /// Costs must not be NaN. No vector may have fewer costs than the first; further costs are ignored.
    pub fn offer(&mut self, costs: Vec<f64>, item: T) -> bool {
        self.offer_or_merge(costs, item, |_, _| {})
    }

    /// Offers a vector like [`Frontier::offer`]. If a member equals it, `merge` gets that member's item and
    /// the offered one.
    pub fn offer_or_merge(
        &mut self,
        costs: Vec<f64>,
        item: T,
        merge: impl FnOnce(&mut T, T),
    ) -> bool {
        let width = *self.width.get_or_insert(costs.len());
        // Vectors without costs are all equal.
        let compared = if width == 0 { &[0.0] } else { &costs[..width] };
        match self.tree.rival(compared) {
            Some(Rival::Better) => return false,
            Some(Rival::Equal(slot)) => {
                if let Some((_, first)) = &mut self.slots[slot] {
                    merge(first, item);
                }
                return false;
            }
            None => {}
        }
        let mut beaten = Vec::new();
        self.tree.take_dominated(compared, &mut beaten);
        self.len -= beaten.len();
        beaten.into_iter().for_each(|slot| self.slots[slot] = None);
        self.tree.insert(self.slots.len(), compared);
        self.slots.push(Some((costs, item)));
        self.len += 1;
        if self.slots.len() > 2 * self.len + SPARE {
            self.close_up();
        }
        true
    }

    /// Removes the slots of beaten members.
    fn close_up(&mut self) {
        let mut free = 0..;
        let to: Vec<usize> = self
            .slots
            .iter()
            .map(|slot| slot.as_ref().and_then(|_| free.next()).unwrap_or(usize::MAX))
            .collect();
        self.tree.renumber(&to);
        self.slots.retain(Option::is_some);
    }

    /// The number of members.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there are no members.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The members, in the order in which they joined.
    pub fn members(&self) -> impl Iterator<Item = &(Vec<f64>, T)> {
        self.slots.iter().flatten()
    }

    /// The members by value, in the order in which they joined.
    pub fn into_members(self) -> impl Iterator<Item = (Vec<f64>, T)> {
        self.slots.into_iter().flatten()
    }

    /// The members, sorted lexicographically by their costs.
    pub fn sorted(&self) -> Vec<&(Vec<f64>, T)> {
        let mut members: Vec<_> = self.members().collect();
        members.sort_by(|a, b| compare_costs(&a.0, &b.0));
        members
    }

    /// The members by value, in the order of [`Frontier::sorted`].
    pub fn into_sorted(self) -> Vec<(Vec<f64>, T)> {
        let mut members: Vec<_> = self.into_members().collect();
        members.sort_by(|a, b| compare_costs(&a.0, &b.0));
        members
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::pareto::dominates;

    /// The indices of the non-dominated points, the first of equals, each with the number of points that
    /// equal it.
    fn by_brute_force(points: &[Vec<f64>]) -> Vec<(usize, usize)> {
        let first = |place: usize| points.iter().position(|other| *other == points[place]);
        (0..points.len())
            .filter(|&place| first(place) == Some(place))
            .filter(|&place| !points.iter().any(|other| dominates(other, &points[place])))
            .map(|place| (place, points.iter().filter(|other| **other == points[place]).count()))
            .collect()
    }

    fn equals_brute_force(points: &[Vec<f64>]) {
        let mut frontier = Frontier::new();
        for (end, (point, place)) in points.iter().zip(0..).enumerate() {
            let merge = |first: &mut (usize, usize), later: (usize, usize)| first.1 += later.1;
            let joined = frontier.offer_or_merge(point.clone(), (place, 1), merge);
            let free = |before: &Vec<f64>| before != point && !dominates(before, point);
            assert_eq!(joined, points[..end].iter().all(free));
        }
        let expected = by_brute_force(points);
        // In the order in which they joined, which is that of their places.
        let found: Vec<(usize, usize)> = frontier.members().map(|member| member.1).collect();
        assert_eq!(found, expected);
        assert_eq!((frontier.len(), frontier.is_empty()), (expected.len(), expected.is_empty()));
        assert!(frontier.members().all(|(costs, (place, _))| *costs == points[*place]));
        let mut by_costs = expected;
        by_costs.sort_by(|a, b| points[a.0].partial_cmp(&points[b.0]).unwrap());
        let sorted: Vec<(usize, usize)> = frontier.sorted().iter().map(|member| member.1).collect();
        assert_eq!(sorted, by_costs);
        let sorted: Vec<(usize, usize)> =
            frontier.clone().into_sorted().iter().map(|member| member.1).collect();
        assert_eq!(sorted, by_costs);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Few distinct values, so that many vectors are equal, dominated or tied.
        #[test]
        fn few_values_equal_brute_force(
            points in prop::collection::vec(prop::collection::vec(-3i8..4, 5), 1..200)
        ) {
            for costs in 0..=5 {
                let point = |p: &Vec<i8>| p[..costs].iter().map(|&v| f64::from(v)).collect();
                let points: Vec<Vec<f64>> = points.iter().map(point).collect();
                equals_brute_force(&points);
            }
        }

        /// Vectors of about the same sum in some order, so that most join; then smaller sums, so that the
        /// frontier is beaten repeatedly.
        #[test]
        fn many_members_equal_brute_force(
            points in prop::collection::vec((prop::collection::vec(0i16..60, 4), 0i16..3), 1..500),
            order in 0..4
        ) {
            let mut points = points;
            match order {
                0 => points.sort(),
                1 => points.sort_by(|a, b| b.cmp(a)),
                2 => points.sort_by_key(|(point, worse)| (std::cmp::Reverse(*worse), point[1])),
                _ => {}
            }
            for costs in 1..=5 {
                let point = |(point, worse): &(Vec<i16>, i16)| {
                    let free = &point[..costs - 1];
                    let last = 60 + 20 * worse - free.iter().sum::<i16>();
                    free.iter().copied().chain([last]).map(f64::from).collect()
                };
                let points: Vec<Vec<f64>> = points.iter().map(point).collect();
                equals_brute_force(&points);
            }
        }
    }

    #[test]
    fn vectors_count_as_far_as_the_first_does() {
        let mut frontier = Frontier::new();
        assert!(frontier.offer(vec![], 0));
        assert!(!frontier.offer(vec![], 1) && !frontier.offer(vec![-1.0], 2));
        assert_eq!(frontier.into_members().collect::<Vec<_>>(), [(vec![], 0)]);
        let mut frontier = Frontier::new();
        assert!(frontier.offer(vec![1.0], 0) && !frontier.offer(vec![1.0, 0.0], 1));
        assert!(frontier.offer(vec![0.0, 1.0], 2) && !frontier.offer(vec![-0.0, 1.0], 3));
        assert_eq!(frontier.into_members().collect::<Vec<_>>(), [(vec![0.0, 1.0], 2)]);
    }
}
