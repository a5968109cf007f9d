//! `tandem query`: the trials for which an expression holds.

use std::collections::BTreeSet;
use std::io::stdout;
use std::process::ExitCode;

use super::context::{Common, label_predicted};
use super::error::CliError;
use crate::pareto::{Direction, Objective};
use crate::report::{TrialColumns, metric_names};
use crate::script::Query;
use crate::store::{Reader, RunRecord, Trial};

/// Prints the stored trials for which a Rhai expression holds.
///
/// The expression sees the metrics by name, and step, phase, reward, valid, failed, run and point
/// (for example `point.cnn`).
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The condition, for example 'accuracy > 0.73 && latency_ms < 5'.
    expression: String,
    /// The runs to look in; all of them if none is named.
    #[arg(long)]
    run: Vec<String>,
    /// Sorts by a metric, `reward` or `step`: KEY for ascending, KEY:max for descending order.
    #[arg(long, value_name = "KEY")]
    sort: Option<String>,
    /// Prints at most this many trials.
    #[arg(long)]
    limit: Option<usize>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let query = Query::new(&args.expression)?;
    let sort = args.sort.as_deref().map(sort_key).transpose()?;
    let store = common.reader()?;
    let runs = selected(store.as_ref(), &args.run)?;
    // A metric of any of the runs is known in all of them.
    let mut names = BTreeSet::new();
    let mut stored = Vec::with_capacity(runs.len());
    for run in &runs {
        let trials = store.trials(&run.name)?.collect::<Result<Vec<_>, _>>()?;
        names.extend(metric_names(&trials));
        stored.push(trials);
    }
    let mut found: Vec<(String, Trial)> = Vec::new();
    for (run, trials) in runs.iter().zip(stored) {
        for trial in trials {
            let phase = run.phases.get(trial.phase as usize).map_or("", |phase| &phase.name);
            if query.holds(&run.name, phase, &trial, &names)? {
                found.push((run.name.clone(), trial));
            }
        }
    }
    if let Some(key) = &sort {
        if !names.contains(&key.metric) && !["reward", "step"].contains(&key.metric.as_str()) {
            let names: Vec<String> = names.into_iter().collect();
            return Err(CliError::Usage {
                message: format!("the trials have no metric `{}` to sort by", key.metric),
                hint: Some(format!("there are step, reward, {}", names.join(", "))),
            });
        }
        // Trials without the value come last.
        found.sort_by(|(_, a), (_, b)| {
            let value = |trial| value(trial, &key.metric).map_or(f64::INFINITY, |v| key.cost(v));
            value(a).total_cmp(&value(b))
        });
    }
    if let Some(limit) = args.limit {
        found.truncate(limit);
    }
    let trials: Vec<&Trial> = found.iter().map(|(_, trial)| trial).collect();
    let predicted = label_predicted(common, &runs);
    let columns = TrialColumns::new(trials, [], runs.len() > 1).labelled(predicted);
    let mut table = columns.table();
    for (run, trial) in &found {
        table.push(columns.row(run, trial));
    }
    table.write(common.format, stdout().lock())?;
    if found.is_empty() {
        eprintln!("no trial matches");
    }
    Ok(ExitCode::SUCCESS)
}

/// The named runs, or all.
pub fn selected(store: &dyn Reader, names: &[String]) -> Result<Vec<RunRecord>, CliError> {
    if names.is_empty() {
        return Ok(store.runs()?);
    }
    names.iter().map(|name| Ok(store.run(name)?)).collect()
}

fn sort_key(text: &str) -> Result<Objective, CliError> {
    if text.contains(':') {
        return Ok(text.parse()?);
    }
    Ok(Objective { metric: text.to_owned(), direction: Direction::Min })
}

fn value(trial: &Trial, key: &str) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "steps stay far below 2^53")]
    match key {
        "step" => Some(trial.step as f64),
        "reward" => trial.outcome.reward(),
        metric => trial.outcome.metric(metric),
    }
}
