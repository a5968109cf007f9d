//! The durations of works on configurations, which form classes of equal durations.

use std::collections::BTreeMap;

use rayon::prelude::*;
use rustc_hash::FxHashMap;

use super::super::operation::{Engines, Work};
use super::super::{Configuration, Platform};
use super::machine::{LANES, Slot};

/// The durations of all works on configurations with the same engines.
#[derive(Debug)]
pub(super) struct EngineGroup {
    pub engines: Engines,
    /// The index of the first class.
    pub first_class: usize,
    /// The number of classes; unused lanes of the last block repeat its last class.
    pub classes: usize,
    /// For each block of [`LANES`] classes, a slot of durations in µs for each work.
    slots: Vec<Slot>,
    works: usize,
}

impl EngineGroup {
    pub(super) fn blocks(&self) -> impl Iterator<Item = &[Slot]> {
        self.slots.chunks_exact(self.works)
    }
}

/// The slots of works, and their durations on each class of configurations.
#[derive(Debug)]
pub(super) struct DurationTable {
    pub rows: FxHashMap<Work, u16>,
    pub groups: Vec<EngineGroup>,
    /// The indices of configurations with equal engines and durations, in ascending order.
    pub classes: Vec<Vec<u32>>,
    /// True if every configuration can run every work.
    pub all_run: bool,
}

impl DurationTable {
    /// Tabulates works, which must be distinct and at most 65,535.
    pub(super) fn new(
        works: &[Work],
        configurations: &[Configuration],
        platform: &Platform,
    ) -> Self {
        let columns: Vec<Vec<f64>> = configurations
            .par_iter()
            .map(|configuration| {
                let duration = |work: &Work| match work.cycles(configuration, platform) {
                    Ok(cycles) => Work::duration_us(cycles.cycles, platform),
                    Err(_) => f64::INFINITY,
                };
                works.iter().map(duration).collect()
            })
            .collect();

        let mut known: FxHashMap<(Engines, Vec<u64>), usize> = FxHashMap::default();
        let mut members: BTreeMap<Engines, Vec<Vec<u32>>> = BTreeMap::new();
        for (index, configuration) in configurations.iter().enumerate() {
            let engines = Engines::of(configuration);
            let classes = members.entry(engines).or_default();
            let bits = columns[index].iter().map(|duration| duration.to_bits()).collect();
            let class = *known.entry((engines, bits)).or_insert_with(|| {
                classes.push(Vec::new());
                classes.len() - 1
            });
            classes[class].push(index as u32);
        }

        let mut table = Self {
            rows: works.iter().enumerate().map(|(row, work)| (*work, row as u16 + 1)).collect(),
            groups: Vec::new(),
            classes: Vec::new(),
            all_run: columns.iter().flatten().all(|duration| duration.is_finite()),
        };
        for (engines, classes) in members {
            let mut slots = Vec::with_capacity(classes.len().div_ceil(LANES) * works.len());
            for block in classes.chunks(LANES) {
                let columns: [&[f64]; LANES] = std::array::from_fn(|lane| {
                    &*columns[block[lane.min(block.len() - 1)][0] as usize]
                });
                let slot = |work| Slot(columns.map(|column| column[work]));
                slots.extend((0..works.len()).map(slot));
            }
            let first_class = table.classes.len();
            let (classes, works) = (classes.len(), {
                table.classes.extend(classes);
                works.len()
            });
            table.groups.push(EngineGroup { engines, first_class, classes, slots, works });
        }
        table
    }
}
