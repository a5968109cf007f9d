//! The Pareto frontier of a stored sweep in any objectives.

use crate::pareto::{Frontier, costs};
use crate::store::{RunRecord, Trial};

/// Returns the trials of a sweep that are not dominated in the objectives of its record, in stored order.
///
/// Only the sweep's own frontier, which is its first trials, is compared. It includes the frontier of all
/// metrics that never get worse with higher accuracy, lower latency or smaller area.
pub fn stored_frontier<'t>(record: &RunRecord, trials: &'t [Trial]) -> Vec<&'t Trial> {
    let count = record.sweep.as_ref().map_or(0, |sweep| sweep.frontier as usize);
    let mut frontier: Frontier<&Trial> = Frontier::new();
    for trial in &trials[..count.min(trials.len())] {
        if let Ok(costs) = costs(&record.objectives, trial.outcome.metrics()) {
            frontier.offer(costs, trial);
        }
    }
    let mut members: Vec<&Trial> = frontier.into_members().map(|(_, trial)| trial).collect();
    members.sort_by_key(|trial| trial.step);
    members
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::store::{Entry, OpenMode, Outcome, Store, SweepRecord};

    /// A number of frontier points for which comparing each with all others would take minutes.
    const POINTS: u64 = 60_000;

    /// A trial on the frontier of three metrics.
    fn trial(step: u64) -> Trial {
        // The costs have the same sum, so that none dominates another.
        let accuracy = (step * 7_919 % POINTS) as f64;
        let latency = (step * 104_729 % POINTS) as f64;
        let metrics = BTreeMap::from([
            ("accuracy".to_owned(), accuracy),
            ("latency_ms".to_owned(), latency),
            ("area_mm2".to_owned(), accuracy - latency),
        ]);
        let outcome = Outcome::Done { metrics, reward: accuracy, valid: true };
        Trial { step, phase: 0, point: vec![0], text: BTreeMap::new(), outcome }
    }

    #[test]
    fn a_large_frontier_is_found_among_stored_trials() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store"), OpenMode::ReadWrite).unwrap();
        let mut record = RunRecord::new("x", "x.rhai");
        record.sweep = Some(SweepRecord { frontier: POINTS, ..SweepRecord::default() });
        let mut record = store.create_run(record).unwrap();
        // The last is no point of the sweep's frontier, and as good as any.
        let entries: Vec<Entry> = (0..=POINTS).map(trial).map(Entry::from).collect();
        store.append(&record.name, &entries).unwrap();
        let trials: Vec<Trial> = store.trials(&record.name).unwrap().map(Result::unwrap).collect();

        let mut steps = |objectives: &[&str]| -> Vec<u64> {
            record.objectives = objectives.iter().map(|text| text.parse().unwrap()).collect();
            stored_frontier(&record, &trials).iter().map(|trial| trial.step).collect()
        };
        let all: Vec<u64> = (0..POINTS).collect();
        assert_eq!(steps(&["accuracy:max", "latency_ms:min", "area_mm2:min"]), all);
        let most = (0..POINTS).max_by_key(|step| step * 7_919 % POINTS).unwrap();
        assert_eq!(steps(&["accuracy:max"]), [most]);
        // In accuracy and latency alone, the steps that are the fastest of all so accurate.
        let mut by_accuracy: Vec<u64> = all;
        by_accuracy.sort_by_key(|step| std::cmp::Reverse(step * 7_919 % POINTS));
        let mut least = u64::MAX;
        by_accuracy.retain(|step| {
            let latency = step * 104_729 % POINTS;
            let is_faster = latency < least;
            least = least.min(latency);
            is_faster
        });
        by_accuracy.sort_unstable();
        assert_eq!(steps(&["accuracy:max", "latency_ms:min"]), by_accuracy);
        assert!(steps(&["power_mw:min"]).is_empty());
    }
}
