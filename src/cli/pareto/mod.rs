//! `tandem pareto`: the frontier of stored trials.

mod compare;

use std::io::{Write, stdout};
use std::process::ExitCode;

use crate::cli::common::context::{Common, label_predicted};
use crate::cli::common::error::CliError;
use tandem::note;
use tandem::pareto::{Frontier, MissingMetric, Objective, costs, hypervolume_within};
use tandem::query::select;
use tandem::report::{Format, TrialColumns, number};
use tandem::store::{Outcome, Reader, RunRecord, Trial};

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
    let objectives = args.objectives(&runs)?;
    let found = FinishedTrials::of(store.as_ref(), &runs, &objectives, args.sweep.is_some())?;
    let members = found.frontier.sorted();
    let trials: Vec<&Trial> = members.iter().map(|(_, (_, trial))| trial).collect();
    let first = objectives.iter().map(|objective| objective.metric.clone());
    let predicted = label_predicted(common, &runs);
    let columns = TrialColumns::new(trials, first, runs.len() > 1).labeled(predicted);
    let mut table = columns.table();
    for (_, (run, trial)) in &members {
        table.push(columns.row(run, trial));
    }
    table.write(common.format, stdout().lock())?;

    let given = args.reference(&objectives);
    let costs: Vec<Vec<f64>> = members.iter().map(|(costs, _)| costs.clone()).collect();
    let line = hypervolume_line(&costs, &objectives, given.as_ref().unwrap_or(&found.worst));
    if common.format == Format::Table {
        writeln!(stdout(), "\n{line}")?;
    } else {
        note!("{line}");
    }
    if let Some(sweep) = &args.sweep {
        compare::print(
            common,
            store.as_ref(),
            sweep,
            &objectives,
            given.as_deref(),
            &found.trials,
            &mut stdout().lock(),
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    /// The objectives given, or those of the first run.
    fn objectives(&self, runs: &[RunRecord]) -> Result<Vec<Objective>, CliError> {
        let objectives = match (&self.objectives[..], runs.first()) {
            ([], Some(run)) => run.objectives.clone(),
            (given, _) => given.to_vec(),
        };
        if objectives.is_empty() {
            return Err(CliError::Usage {
                message: "the run has no objectives".to_owned(),
                hint: Some("name them: --objectives accuracy:max,latency_ms:min".to_owned()),
            });
        }
        let (given, expected) = (self.reference.len(), objectives.len());
        if given != 0 && given != expected {
            let message = format!("{given} reference values for {expected} objectives");
            return Err(CliError::usage(message));
        }
        Ok(objectives)
    }

    /// The costs of the reference point, if one is given.
    fn reference(&self, objectives: &[Objective]) -> Option<Vec<f64>> {
        let costs = objectives.iter().zip(&self.reference).map(|(o, &value)| o.cost(value));
        (!self.reference.is_empty()).then(|| costs.collect())
    }
}

/// The trials of some runs that were evaluated.
struct FinishedTrials {
    /// Those that none dominates, each with its run.
    frontier: Frontier<(String, Trial)>,
    /// The worst cost of each objective among all.
    worst: Vec<f64>,
    /// All, if they are asked for.
    trials: Vec<Trial>,
}

impl FinishedTrials {
    fn of(
        store: &dyn Reader,
        runs: &[RunRecord],
        objectives: &[Objective],
        keep_all: bool,
    ) -> Result<Self, CliError> {
        let mut found = Self {
            frontier: Frontier::new(),
            worst: vec![f64::NEG_INFINITY; objectives.len()],
            trials: Vec::new(),
        };
        for run in runs {
            for trial in store.trials(&run.name)? {
                found.add(&run.name, trial?, objectives, keep_all)?;
            }
        }
        Ok(found)
    }

    fn add(
        &mut self,
        run: &str,
        trial: Trial,
        objectives: &[Objective],
        keep_all: bool,
    ) -> Result<(), CliError> {
        let Outcome::Done { metrics, .. } = &trial.outcome else { return Ok(()) };
        let costs = costs(objectives, metrics).map_err(|MissingMetric(metric)| {
            let known: Vec<&str> = metrics.keys().map(String::as_str).collect();
            CliError::Usage {
                message: format!("step {} of run `{run}` has no metric `{metric}`", trial.step),
                hint: Some(format!("its metrics are {}", known.join(", "))),
            }
        })?;
        for (worst, cost) in self.worst.iter_mut().zip(&costs) {
            *worst = worst.max(*cost);
        }
        if keep_all {
            self.trials.push(trial.clone());
        }
        self.frontier.offer(costs, (run.to_owned(), trial));
        Ok(())
    }
}

/// The hypervolume of a frontier, measured from a reference point, as a sentence.
fn hypervolume_line(costs: &[Vec<f64>], objectives: &[Objective], reference: &[f64]) -> String {
    let Some(volume) = hypervolume_within(costs, reference, MAX_VECTORS) else {
        let (points, objectives) = (costs.len(), objectives.len());
        return format!(
            "no hypervolume: of {points} points with {objectives} objectives it takes too long"
        );
    };
    if costs.is_empty() {
        return format!("hypervolume {} from no trials", number(volume));
    }
    let value = |(objective, &cost): (&Objective, &f64)| {
        format!("{} {}", objective.metric, number(objective.value(cost)))
    };
    let point: Vec<String> = objectives.iter().zip(reference).map(value).collect();
    format!("hypervolume {} from {}", number(volume), point.join(", "))
}
