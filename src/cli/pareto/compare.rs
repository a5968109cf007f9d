//! Comparison of stored trials with a sweep of the same space.

use std::collections::HashSet;
use std::io::Write;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::pareto::{MissingMetric, Objective, costs, hypervolume};
use tandem::report::{Format, Table};
use tandem::store::{Outcome, Reader, RunRecord, SweepRecord, Trial};
use tandem::sweep::stored_frontier;

/// Prints the share of a sweep's frontier and hypervolume that trials reach, and the regret of their best.
///
/// Hypervolumes are measured from the costs of `reference` or, without one, from the worst value of each
/// objective on the sweep's frontier.
pub fn print(
    common: &Common,
    store: &dyn Reader,
    name: &str,
    objectives: &[Objective],
    reference: Option<&[f64]>,
    trials: &[Trial],
    out: &mut impl Write,
) -> Result<(), CliError> {
    let mut record = store.run(name)?;
    let Some(sweep) = record.sweep.clone() else {
        return Err(CliError::Usage {
            message: format!("run `{name}` is no sweep"),
            hint: Some("`tandem sweep FILE` makes one".to_owned()),
        });
    };
    record.objectives = objectives.to_vec();
    let swept: Vec<Trial> = store.trials(name)?.collect::<Result<_, _>>()?;
    if swept.is_empty() {
        return Err(CliError::Usage {
            message: format!("sweep `{name}` is not finished"),
            hint: Some(format!("`tandem resume {name}` goes on with it")),
        });
    }
    let exact = vectors(&record, &stored_frontier(&record, &swept))?;
    let all: Vec<&Trial> = trials.iter().collect();
    let found = vectors(&record, &all)?;
    let worst = |place: usize| exact.iter().map(|c| c[place]).fold(f64::NEG_INFINITY, f64::max);
    let reference: Vec<f64> =
        reference.map_or_else(|| (0..objectives.len()).map(worst).collect(), <[f64]>::to_vec);
    let bits = |costs: &Vec<f64>| costs.iter().map(|cost| cost.to_bits()).collect::<Vec<u64>>();
    let known: HashSet<Vec<u64>> = found.iter().map(bits).collect();
    let met = exact.iter().filter(|costs| known.contains(&bits(costs))).count();
    let (reached, whole) = (hypervolume(&found, &reference), hypervolume(&exact, &reference));

    let mut table = Table::new(["compared with the sweep", "trials", "sweep", "share or regret"]);
    table.push(vec!["hypervolume".into(), reached.into(), whole.into(), (reached / whole).into()]);
    table.push(vec![
        "points of the frontier".into(),
        (met as u64).into(),
        (exact.len() as u64).into(),
        (met as f64 / exact.len() as f64).into(),
    ]);
    for (place, objective) in objectives.iter().enumerate() {
        let best = |costs: &[Vec<f64>]| costs.iter().map(|c| c[place]).min_by(f64::total_cmp);
        let (Some(found), Some(exact)) = (best(&found), best(&exact)) else { continue };
        table.push(vec![
            format!("best {}", objective.metric).into(),
            objective.value(found).into(),
            objective.value(exact).into(),
            (found - exact).into(),
        ]);
    }
    push_goals(&mut table, &sweep, &swept, trials);
    if common.format == Format::Table {
        writeln!(out)?;
        table.write(Format::Table, &mut *out)?;
    } else {
        table.write(common.format, std::io::stderr().lock())?;
    }
    Ok(())
}

/// Adds the regret of the best trial for each objective of the sweep.
fn push_goals(table: &mut Table, sweep: &SweepRecord, swept: &[Trial], trials: &[Trial]) {
    for (index, goal) in sweep.goals.iter().enumerate() {
        let exact = swept
            .iter()
            .find(|trial| trial.phase as usize == index + 1)
            .and_then(|trial| trial.outcome.reward());
        let reward = |trial: &Trial| {
            let worth = goal.objective.worth(|name| trial.outcome.metric(name)).ok()?;
            worth.valid.then_some(worth.reward)
        };
        let best = trials.iter().filter_map(reward).max_by(f64::total_cmp);
        let regret = best.zip(exact).map(|(best, exact)| exact - best);
        table.push(vec![
            format!("objective {}", goal.name).into(),
            best.into(),
            exact.into(),
            regret.into(),
        ]);
    }
}

fn vectors(record: &RunRecord, trials: &[&Trial]) -> Result<Vec<Vec<f64>>, CliError> {
    let done = trials.iter().filter_map(|trial| match &trial.outcome {
        Outcome::Done { metrics, .. } => Some((trial, metrics)),
        Outcome::Failed { .. } => None,
    });
    done.map(|(trial, metrics)| {
        costs(&record.objectives, metrics).map_err(|MissingMetric(metric)| {
            CliError::usage(format!(
                "step {} of `{}` or of a run has no metric `{metric}`",
                trial.step, record.name
            ))
        })
    })
    .collect()
}
