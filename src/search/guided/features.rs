//! Points as sets of features that are there or not.

use crate::search::controller::SearchSpace;

/// Thresholds of an ordered choice at most.
const THRESHOLDS: usize = 32;

/// How the options of each choice become features: a feature for each option of a choice without an order
/// (one alone of two), for each of up to 32 thresholds of an ordered one whether it is reached.
#[derive(Clone, Debug)]
pub struct Features {
    /// For each choice and option the features that are there.
    of: Vec<Vec<Vec<u32>>>,
    count: usize,
}

impl Features {
    /// The features of what is searched.
    pub fn new(space: &SearchSpace) -> Self {
        let mut count = 0;
        let mut add = |many: usize| {
            count += many;
            (count - many) as u32
        };
        let of = space.sizes.iter().zip(&space.ordered).map(|(&size, &ordered)| {
            if size == 1 {
                return vec![Vec::new()];
            }
            if !ordered && size > 2 {
                let first = add(size);
                return (0..size).map(|option| vec![first + option as u32]).collect();
            }
            let thresholds = (size - 1).min(THRESHOLDS);
            let first = add(thresholds);
            (0..size)
                .map(|option| {
                    let reached = |t: &usize| option > t * (size - 1) / thresholds;
                    (0..thresholds).filter(reached).map(|t| first + t as u32).collect()
                })
                .collect()
        });
        let of = of.collect();
        Self { of, count }
    }

    /// How many features there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The features of a point that are there, ascending.
    pub fn of(&self, point: &[u16]) -> Vec<u32> {
        let pairs = self.of.iter().zip(point);
        pairs.flat_map(|(options, &option)| &options[usize::from(option)]).copied().collect()
    }
}
