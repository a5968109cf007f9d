//! `tandem rescore`: applies another reward to the metrics of a run.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::cli::common::context::{Common, label_predicted};
use crate::cli::common::error::CliError;
use crate::cli::common::output::Output;
use tandem::metrics::Metrics;
use tandem::note;
use tandem::pareto::MissingMetric;
use tandem::query::{
    KnownNames, Ranking, Rescored, RescoredTrial, SelectedRun, known, rank, rescore,
};
use tandem::report::{Column, ColumnKind, Format, Rows, Table, TableCell, number};
use tandem::run::{Experiment, Failure, Progress, Reward, RewardFn, RunError};
use tandem::script::{Diagnostic, ScriptError};
use tandem::session::{Loaded, stored_settings};
use tandem::store::{Entry, Reader, RunRecord};

/// The maximum number of reasons of failures that are shown.
const REASONS: usize = 5;

/// Applies another reward to the metrics of a run, without evaluating anything, and shows how the
/// ranking changes.
///
/// A phase is judged by the reward that the script's schedule gives to a phase of the same name at the
/// same point of the run, or else by the script's own `reward`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's name.
    run: String,
    /// The experiment with the other reward [default: the run's own, with its settings]
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// Overrides a setting or an argument of the script.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How many of the best pairs before and after are shown.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    /// Writes into a file, which is there whole or not at all.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let reader = store.as_ref();
    let record = reader.run(&args.run)?;
    let loaded = load(common, args, &record)?;
    let subject = SelectedRun::new(reader, record.clone())?;
    let known = known(reader, std::slice::from_ref(&subject), None)?;
    refuse_missing_objective(&loaded, &record, &known)?;
    let rewards = rewards(reader, &loaded, &record)?;
    let script = &loaded.script;
    let judge = |phase: u32, metrics: &Metrics| -> Result<Reward, Failure> {
        match rewards.get(phase as usize) {
            Some(Some(reward)) => reward(metrics),
            _ => script.reward(metrics),
        }
    };
    let rescored = rescore(reader, &subject, judge)?;
    refuse_missing(&record, &known, &rescored)?;
    let before = rank(&rescored.trials, |trial| trial.before);
    let after = rank(&rescored.trials, |trial| trial.after);

    let mut output = Output::new(args.output.as_deref(), common.format)?;
    let summary = summary(&record, &rescored, [&before, &after], args.top);
    if common.format == Format::Table {
        summary.write(Format::Table, &mut output)?;
        writeln!(output)?;
    } else {
        let mut text = Vec::new();
        summary.write(Format::Table, &mut text)?;
        note!("{}", String::from_utf8_lossy(&text).trim_end());
    }
    let predicted = label_predicted(common, std::slice::from_ref(&record));
    let columns = columns(&known, predicted);
    let mut rows = Rows::new(common.format, columns, output)?;
    for row in top(reader, &record, &known, &rescored, [&before, &after], args.top)? {
        rows.push(row)?;
    }
    rows.finish()?.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// Loads the experiment with the other reward.
fn load(common: &Common, args: &Args, record: &RunRecord) -> Result<Loaded, CliError> {
    if let Some(file) = &args.script {
        return common.load(file, &args.set);
    }
    let mut settings = stored_settings(record)?;
    for assignment in &args.set {
        settings.set(assignment).map_err(ScriptError::from)?;
    }
    common.load_with(Path::new(&record.file), settings)
}

/// The reward of each phase of the run where the schedule has one; otherwise the script's own applies.
fn rewards(
    reader: &dyn Reader,
    loaded: &Loaded,
    record: &RunRecord,
) -> Result<Vec<Option<RewardFn>>, CliError> {
    let script = &loaded.script;
    if record.sweep.is_some() || !script.defines("schedule") {
        script.require("reward")?;
        return Ok(Vec::new());
    }
    let mut progress = Progress::new(record.objectives.clone(), record.seed);
    let mut rewards = Vec::with_capacity(record.phases.len());
    let mut trials = reader.trials(&record.name)?;
    for (index, phase) in record.phases.iter().enumerate() {
        let scheduled = script.next_phase(&progress).map_err(|failure| loaded.failure(&failure))?;
        let same = scheduled.filter(|scheduled| scheduled.name == phase.name);
        if same.is_none() {
            script.require("reward")?;
            note!(
                "note: the schedule gives no phase `{}` at step {}; it is judged by reward(metrics)",
                phase.name,
                phase.first_step
            );
        }
        rewards.push(same.map(|scheduled| scheduled.reward));
        progress.enter(&phase.name);
        // The schedule sees the run up to the next phase.
        let Some(next) = record.phases.get(index + 1) else { break };
        for _ in phase.first_step..next.first_step {
            let Some(trial) = trials.next().transpose()? else { break };
            let step = trial.step;
            progress.add(Arc::new(trial)).map_err(|MissingMetric(metric)| {
                CliError::Run(RunError::MissingObjective { step, metric })
            })?;
        }
    }
    Ok(rewards)
}

/// Refuses an objective with a metric that no trial of the run has.
fn refuse_missing_objective(
    loaded: &Loaded,
    record: &RunRecord,
    known: &KnownNames,
) -> Result<(), CliError> {
    let Some(objective) = loaded.script.objective() else { return Ok(()) };
    let limits = objective.limits.iter().map(|limit| &limit.metric);
    match objective.terms.keys().chain(limits).find(|name| !known.metrics.contains(*name)) {
        Some(metric) => Err(lacks(record, known, metric, None)),
        None => Ok(()),
    }
}

/// Refuses a reward that fails because no trial of the run has some metric.
fn refuse_missing(
    record: &RunRecord,
    known: &KnownNames,
    rescored: &Rescored,
) -> Result<(), CliError> {
    for (failure, ..) in &rescored.failures {
        let about = ["the map has no entry `", "the objective is about `"];
        let metric = about.iter().find_map(|start| {
            failure.message().strip_prefix(start).and_then(|rest| rest.split('`').next())
        });
        if let Some(metric) = metric
            && !known.metrics.contains(metric)
        {
            let place = failure.cause::<Diagnostic>().and_then(|found| found.place.clone());
            return Err(lacks(record, known, metric, place.map(|place| place.to_string())));
        }
    }
    Ok(())
}

fn lacks(record: &RunRecord, known: &KnownNames, metric: &str, place: Option<String>) -> CliError {
    let at = place.map_or_else(String::new, |place| format!(" ({place})"));
    let names: Vec<&str> = known.metrics.iter().map(String::as_str).collect();
    CliError::Usage {
        message: format!(
            "the reward needs the metric `{metric}`{at}, which run `{}` does not have",
            record.name
        ),
        hint: Some(format!(
            "it has {}; a run of the script as it is would evaluate the others",
            names.join(", ")
        )),
    }
}

/// Summarizes the changes as names and values.
fn summary(
    record: &RunRecord,
    rescored: &Rescored,
    [before, after]: [&Ranking; 2],
    most: usize,
) -> Table {
    let trials = &rescored.trials;
    let count =
        |counts: fn(&RescoredTrial) -> bool| trials.iter().filter(|t| counts(t)).count() as u64;
    let mut rows: Vec<(String, TableCell)> = vec![
        ("run".into(), record.name.as_str().into()),
        ("trials with metrics".into(), (trials.len() as u64).into()),
        ("trials without metrics".into(), rescored.without_metrics.into()),
        ("valid before".into(), count(|t| t.before.is_some_and(|r| r.valid)).into()),
        ("valid after".into(), count(|t| t.after.is_some_and(|r| r.valid)).into()),
        ("failed before".into(), count(|t| t.before.is_none()).into()),
        ("failed after".into(), count(|t| t.after.is_none()).into()),
    ];
    for (failure, step, times) in rescored.failures.iter().take(REASONS) {
        rows.push((
            format!("failure from step {step}"),
            format!("{failure}, {times} times").into(),
        ));
    }
    let more = rescored.failures.len().saturating_sub(REASONS);
    if more > 0 {
        rows.push(("other reasons of failures".into(), (more as u64).into()));
    }
    if let Some((spearman, kendall)) = rescored.correlation() {
        rows.push(("Spearman's rank correlation".into(), spearman.into()));
        rows.push(("Kendall's tau-b".into(), kendall.into()));
    }
    let first = |ranking: &Ranking| ranking.order.iter().take(most).copied().collect::<Vec<_>>();
    let (was, is) = (first(before), first(after));
    // A pair may have been evaluated several times: the pair counts, not the trial.
    let same = |a: &usize| is.iter().any(|b| trials[*a].is_same_point(&trials[*b]));
    let shared = was.iter().filter(|place| same(place)).count();
    rows.push((format!("of the best {most}, best before too"), (shared as u64).into()));
    let best = |ranking: &Ranking, of: fn(&RescoredTrial) -> Option<Reward>| {
        let trial = ranking.order.first().map(|&place| &trials[place]);
        trial.map(|trial| {
            let reward = of(trial);
            let rejected = if reward.is_some_and(|r| !r.valid) { ", rejected" } else { "" };
            let value = reward.map_or_else(String::new, |reward| number(reward.value));
            format!("step {}, reward {value}{rejected}", trial.step)
        })
    };
    rows.push(("best before".into(), best(before, |trial| trial.before).into()));
    rows.push(("best after".into(), best(after, |trial| trial.after).into()));
    let mut table = Table::of_properties(Format::Table);
    rows.into_iter().for_each(|(name, value)| table.push(vec![name.into(), value]));
    table
}

fn columns(known: &KnownNames, predicted: bool) -> Vec<Column> {
    let fixed = [
        ("rank_before", ColumnKind::Int),
        ("rank_after", ColumnKind::Int),
        ("step", ColumnKind::Int),
        ("reward_before", ColumnKind::Number),
        ("reward_after", ColumnKind::Number),
        ("valid_before", ColumnKind::Flag),
        ("valid_after", ColumnKind::Flag),
    ];
    let metrics = known.metrics.iter().map(|name| match name.as_str() {
        "accuracy" if predicted => Column::new("accuracy (predicted)", ColumnKind::Number),
        name => Column::new(name, ColumnKind::Number),
    });
    let parts = known.parts.iter().map(|name| Column::new(name, ColumnKind::Text));
    fixed
        .map(|(name, kind)| Column::new(name, kind))
        .into_iter()
        .chain(metrics)
        .chain(parts)
        .collect()
}

/// The rows of the best pairs before and after, in the order of their ranks after.
fn top(
    reader: &dyn Reader,
    record: &RunRecord,
    known: &KnownNames,
    rescored: &Rescored,
    [before, after]: [&Ranking; 2],
    most: usize,
) -> Result<Vec<Vec<TableCell>>, CliError> {
    let trials = &rescored.trials;
    let mut shown: Vec<usize> = after.order.iter().take(most).copied().collect();
    for &place in before.order.iter().take(most) {
        if !shown.iter().any(|&known| trials[known].is_same_point(&trials[place])) {
            shown.push(place);
        }
    }
    let rank_in = |ranking: &Ranking, place: usize| {
        let same = |&other: &usize| trials[other].is_same_point(&trials[place]);
        ranking.order.iter().position(same).map(|rank| rank as u64 + 1)
    };
    let mut rows = Vec::with_capacity(shown.len());
    for place in shown {
        let judged = &trials[place];
        let Some(Entry { trial, .. }) = reader.entry(&record.name, judged.step)? else { continue };
        let mut row = vec![
            rank_in(before, place).into(),
            rank_in(after, place).into(),
            judged.step.into(),
            judged.before.map(|reward| reward.value).into(),
            judged.after.map(|reward| reward.value).into(),
            judged.before.map(|reward| reward.valid).into(),
            judged.after.map(|reward| reward.valid).into(),
        ];
        row.extend(known.metrics.iter().map(|name| TableCell::from(trial.outcome.metric(name))));
        row.extend(
            known
                .parts
                .iter()
                .map(|part| TableCell::from(trial.text.get(part).map(String::as_str))),
        );
        rows.push((rank_in(after, place), rank_in(before, place), row));
    }
    // Without a rank after come last.
    rows.sort_by_key(|(after, before, _)| (after.unwrap_or(u64::MAX), before.unwrap_or(u64::MAX)));
    Ok(rows.into_iter().map(|(_, _, row)| row).collect())
}
