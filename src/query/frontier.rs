//! The Pareto frontier of a stored run.

use std::ops::ControlFlow;

use rustc_hash::FxHashSet;

use super::scan::scan;
use super::selection::SelectedRun;
use crate::pareto::{Frontier, Objective};
use crate::store::{Reader, StoreError, TrialBlock};

/// The steps of the trials on a run's frontier by the given objectives. Candidates are the trials that have a
/// reward and all these metrics; of equal trials the first counts, as during the run.
///
/// # Errors
/// The store fails.
pub fn frontier(
    reader: &dyn Reader,
    subject: &SelectedRun,
    objectives: &[Objective],
) -> Result<FxHashSet<u64>, StoreError> {
    let mut whole: Frontier<u64> = Frontier::new();
    let of = |_, block: &TrialBlock| Ok(of_block(block, objectives));
    scan(reader, std::slice::from_ref(subject), of, |part: Frontier<u64>| {
        for (costs, step) in part.into_members() {
            whole.offer(costs, step);
        }
        Ok::<_, StoreError>(ControlFlow::Continue(()))
    })?;
    Ok(whole.into_members().map(|(_, step)| step).collect())
}

/// The frontier of a block, its members in the order of their steps.
fn of_block(block: &TrialBlock, objectives: &[Objective]) -> Frontier<u64> {
    let mut frontier = Frontier::new();
    let columns: Option<Vec<(&Objective, &[f64])>> =
        objectives.iter().map(|o| Some((o, block.values(&o.metric)?))).collect();
    for at in 0..block.len() {
        let Some(columns) = &columns else { break };
        if block.reward(at).is_none() || columns.iter().any(|(_, values)| values[at].is_nan()) {
            continue;
        }
        let costs = columns.iter().map(|(o, values)| o.cost(values[at])).collect();
        frontier.offer(costs, block.step(at));
    }
    frontier
}
