//! Dominance between trials, by several costs and by constraints.

use super::controller::Feedback;
use crate::pareto::compare_costs;
pub use crate::pareto::dominates as costs_dominate;

/// Returns true if trial `a` beats trial `b` by constraint domination (Deb et al. 2002, section VI). Between
/// feasible trials, the Pareto dominance of their costs decides. A feasible trial beats an infeasible one; of
/// infeasible ones the higher reward wins; both beat a failed one. Without costs the higher reward wins.
pub fn dominates(a: &Feedback, b: &Feedback) -> bool {
    if a.valid && b.valid && !a.costs.is_empty() && a.costs.len() == b.costs.len() {
        return costs_dominate(&a.costs, &b.costs);
    }
    a.compare(b).is_gt()
}

/// The rank of each trial: 0 if no trial dominates it, 1 if only trials of rank 0 do, and so on.
///
/// Computed by the efficient non-dominated sort with sequential search (Zhang, Tian, Cheng and Jin, IEEE
/// Transactions on Evolutionary Computation 19(2), 2015): in the order of the first cost, a trial can only be
/// dominated by those before it.
pub fn ranks(told: &[&Feedback]) -> Vec<u32> {
    let mut order: Vec<usize> = (0..told.len()).collect();
    order.sort_by(|&a, &b| {
        let (x, y) = (told[a], told[b]);
        // The costs of rejected trials do not count.
        let costs = |told: &Feedback| if told.valid { told.costs.len() } else { 0 };
        y.valid
            .cmp(&x.valid)
            .then(costs(x).cmp(&costs(y)))
            .then(compare_costs(&x.costs[..costs(x)], &y.costs[..costs(y)]))
            .then(y.compare(x))
            .then(a.cmp(&b))
    });
    let mut fronts: Vec<Vec<usize>> = Vec::new();
    let mut ranks = vec![0; told.len()];
    for trial in order {
        let free = |front: &Vec<usize>| {
            front.iter().rev().all(|&other| !dominates(told[other], told[trial]))
        };
        let rank = fronts.iter().position(free).unwrap_or(fronts.len());
        if rank == fronts.len() {
            fronts.push(Vec::new());
        }
        fronts[rank].push(trial);
        ranks[trial] = u32::try_from(rank).unwrap_or(u32::MAX);
    }
    ranks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Peeled layer by layer, as the definition has it.
        #[test]
        fn ranks_equal_brute_force(
            trials in prop::collection::vec((0_u8..8, prop::collection::vec(0_u8..5, 3)), 1..40)
        ) {
            let told: Vec<Feedback> = trials
                .into_iter()
                .map(|(kind, costs)| match kind {
                    0 => Feedback::failed(),
                    1 => Feedback { reward: Some(-f64::from(costs[0])), valid: false, costs: vec![] },
                    _ => {
                        let costs = costs.into_iter().map(f64::from).collect();
                        Feedback { reward: Some(0.0), valid: true, costs }
                    }
                })
                .collect();
            let told: Vec<&Feedback> = told.iter().collect();
            let mut expected = vec![u32::MAX; told.len()];
            let mut rank = 0;
            while expected.contains(&u32::MAX) {
                let left: Vec<usize> =
                    (0..told.len()).filter(|&i| expected[i] == u32::MAX).collect();
                let front: Vec<usize> = left
                    .iter()
                    .copied()
                    .filter(|&i| left.iter().all(|&j| !dominates(told[j], told[i])))
                    .collect();
                front.into_iter().for_each(|i| expected[i] = rank);
                rank += 1;
            }
            prop_assert_eq!(ranks(&told), expected);
        }
    }
}
