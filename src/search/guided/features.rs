//! Points as sets of binary features.

use crate::search::controller::SearchSpace;

/// The maximum number of thresholds of an ordered choice.
const THRESHOLDS: usize = 32;

/// The binary features of the options of each choice. An unordered choice has a feature for each option (one
/// for two options); an ordered one has up to 32 thresholds, each a feature of the options above it.
#[derive(Clone, Debug)]
pub struct Features {
    /// The present features by choice and option.
    of: Vec<Vec<Vec<u32>>>,
    count: usize,
}

impl Features {
    /// Creates the features of a search space.
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

    /// The number of features.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The present features of a point, ascending.
    pub fn of(&self, point: &[u16]) -> Vec<u32> {
        let pairs = self.of.iter().zip(point);
        pairs.flat_map(|(options, &option)| &options[usize::from(option)]).copied().collect()
    }
}
