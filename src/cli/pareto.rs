//! `tandem pareto`: the frontier of stored trials.

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::compare;
use super::context::{Common, label_predicted};
use super::error::CliError;
use tandem::note;
use tandem::pareto::{Frontier, Objective, costs, hypervolume_within};
use tandem::query::select;
use tandem::report::{Format, TrialColumns, number};
use tandem::store::{Outcome, Trial};

/// The maximum number of vectors that the hypervolume may process in all its steps; it takes some seconds.
const MAX_VECTORS: u64 = 20_000_000;

/// Prints the non-dominated trials of one or more runs, and their hypervolume.
///
/// The hypervolume is measured from the reference point if one is given, else from the worst value
/// of each objective among the trials.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The runs.
    #[arg(required = true)]
    runs: Vec<String>,
    /// What is wanted, for example accuracy:max,latency_ms:min [default: the first run's]
    #[arg(long, value_delimiter = ',', value_name = "METRIC:max|min")]
    objectives: Vec<Objective>,
    /// The reference point of the hypervolume, a value for each objective.
    #[arg(long, value_delimiter = ',', value_name = "VALUE", allow_negative_numbers = true)]
    reference: Vec<f64>,
    /// Compares the trials with a sweep of the same space: hypervolume, points of the frontier found,
    /// regret of the best.
    #[arg(long, value_name = "NAME")]
    sweep: Option<String>,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let runs = select(store.as_ref(), &args.runs)?;
    let objectives = match (&args.objectives[..], runs.first()) {
        ([], Some(run)) => run.objectives.clone(),
        (given, _) => given.to_vec(),
    };
    if objectives.is_empty() {
        return Err(CliError::Usage {
            message: "the run has no objectives".to_owned(),
            hint: Some("name them: --objectives accuracy:max,latency_ms:min".to_owned()),
        });
    }
    if !args.reference.is_empty() && args.reference.len() != objectives.len() {
        return Err(CliError::usage(format!(
            "{} reference values for {} objectives",
            args.reference.len(),
            objectives.len()
        )));
    }
    let mut all = Vec::new();
    let mut frontier: Frontier<(String, Trial)> = Frontier::new();
    let mut worst: Vec<f64> = vec![f64::NEG_INFINITY; objectives.len()];
    for run in &runs {
        for trial in store.trials(&run.name)? {
            let trial = trial?;
            let Outcome::Done { metrics, .. } = &trial.outcome else { continue };
            let costs = costs(&objectives, metrics).map_err(|metric| CliError::Usage {
                message: format!(
                    "step {} of run `{}` has no metric `{metric}`",
                    trial.step, run.name
                ),
                hint: Some(format!(
                    "its metrics are {}",
                    metrics.keys().cloned().collect::<Vec<_>>().join(", ")
                )),
            })?;
            for (worst, cost) in worst.iter_mut().zip(&costs) {
                *worst = worst.max(*cost);
            }
            if args.sweep.is_some() {
                all.push(trial.clone());
            }
            frontier.offer(costs, (run.name.clone(), trial));
        }
    }
    let members = frontier.sorted();
    let trials: Vec<&Trial> = members.iter().map(|(_, (_, trial))| trial).collect();
    let first = objectives.iter().map(|objective| objective.metric.clone());
    let predicted = label_predicted(common, &runs);
    let columns = TrialColumns::new(trials, first, runs.len() > 1).labelled(predicted);
    let mut table = columns.table();
    for (_, (run, trial)) in &members {
        table.push(columns.row(run, trial));
    }
    table.write(common.format, stdout().lock())?;

    let reference = if args.reference.is_empty() {
        worst
    } else {
        objectives.iter().zip(&args.reference).map(|(o, &value)| o.cost(value)).collect()
    };
    let costs: Vec<Vec<f64>> = members.iter().map(|(costs, _)| costs.clone()).collect();
    let point: Vec<String> = objectives
        .iter()
        .zip(&reference)
        .map(|(o, &cost)| format!("{} {}", o.metric, number(o.value(cost))))
        .collect();
    let volume = hypervolume_within(&costs, &reference, MAX_VECTORS);
    let line = match volume {
        None => format!(
            "no hypervolume: of {} points with {} objectives it takes too long",
            members.len(),
            objectives.len()
        ),
        Some(volume) if members.is_empty() => {
            format!("hypervolume {} from no trials", number(volume))
        }
        Some(volume) => format!("hypervolume {} from {}", number(volume), point.join(", ")),
    };
    if common.format == Format::Table {
        writeln!(stdout(), "\n{line}")?;
    } else {
        note!("{line}");
    }
    if let Some(sweep) = &args.sweep {
        let given = (!args.reference.is_empty()).then_some(reference.as_slice());
        compare::print(
            common,
            store.as_ref(),
            sweep,
            &objectives,
            given,
            &all,
            &mut stdout().lock(),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}
