//! `tandem show`: shows one run or one trial in full.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;

use super::run::summary_to_the_end;
use crate::cli::common::context::Common;
use crate::cli::common::efforts::TrialCosts;
use crate::cli::common::error::CliError;
use tandem::note;
use tandem::report::{Format, Table, TableCell};
use tandem::session::{lost_threshold, progress};
use tandem::store::{Entry, Outcome, Reader, RunRecord, Status, Store, SweepRecord};

/// Shows a run, or one trial of it, in full.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's name.
    run: String,
    /// A step of the run.
    step: Option<u64>,
    /// Prints the script texts that the run started with.
    #[arg(long, conflicts_with = "step")]
    script: bool,
    /// Prints the summary again, by the script as it is now.
    #[arg(long, conflicts_with_all = ["step", "script"])]
    summary: bool,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    if args.summary {
        let store = common.existing_store()?;
        return print_summary(common, &store, &store.run(&args.run)?);
    }
    let store = common.reader()?;
    let run = store.run(&args.run)?;
    if args.script {
        print_sources(store.as_ref(), &run)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = match args.step {
        None => run_rows(common, store.as_ref(), &run)?,
        Some(step) => {
            let entry = store.entry(&run.name, step)?.ok_or_else(|| CliError::Usage {
                message: format!("run `{}` has no step {step}", run.name),
                hint: store.trial_count(&run.name).ok().map(|count| match count {
                    0 => "it has no trials yet".to_owned(),
                    count => format!("its steps are 0 to {}", count - 1),
                }),
            })?;
            trial_rows(&run, &entry)
        }
    };
    if common.format == Format::Table {
        let mut table = Table::of_properties(Format::Table);
        for (name, value) in rows {
            table.push(vec![name.into(), value]);
        }
        table.write(Format::Table, stdout().lock())?;
    } else {
        let (names, values): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let mut table = Table::new(names);
        table.push(values);
        table.write(common.format, stdout().lock())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the summary that the run printed when it finished, or would print if it finished now.
fn print_summary(
    common: &Common,
    store: &Arc<Store>,
    run: &RunRecord,
) -> Result<ExitCode, CliError> {
    if run.sweep.is_some() {
        let hint = Some(format!("`tandem query 'true' --run {}` lists its pairs", run.name));
        return Err(CliError::Usage { message: format!("`{}` is a sweep", run.name), hint });
    }
    if let Some(lost) = &run.lost {
        note!("note: the store that the run was salvaged from had lost {lost}");
    }
    let loaded = common.load_run(run)?;
    let progress = progress(store.as_ref(), run)?;
    let printed = summary_to_the_end(common, &loaded, store, &run.name, &progress, None)?;
    Ok(if printed { ExitCode::SUCCESS } else { ExitCode::from(130) })
}

fn run_rows(
    common: &Common,
    store: &dyn Reader,
    run: &RunRecord,
) -> Result<Vec<(String, TableCell)>, CliError> {
    let effort = TrialCosts::of(store, run)?;
    let checkpoint = store.checkpoint_step(&run.name)?;
    let reason = match &run.status {
        Status::Failed { reason } => Some(reason.clone()),
        // The script of a doubtful record may be another.
        Status::Finished if run.sweep.is_none() && run.lost.is_none() => {
            lost_threshold(common.data.as_deref(), store, run)?
        }
        _ => None,
    };
    let trials = store.trial_count(&run.name)?;
    let goes_on = run.status != Status::Finished;
    let remaining = run.end().filter(|_| goes_on).map(|end| end.saturating_sub(trials));
    let holder = store.holder()?.filter(|_| run.status == Status::Running);
    let heartbeat = holder.as_ref().map(|holder| format!("{} s ago", holder.silent_s()));
    let objectives: Vec<String> = run.objectives.iter().map(ToString::to_string).collect();
    let mut rows: Vec<(String, TableCell)> = vec![
        ("run".into(), run.name.as_str().into()),
        ("status".into(), run.status.to_string().into()),
        ("reason".into(), reason.into()),
        ("held_by".into(), holder.map(|holder| holder.describe()).into()),
        ("heartbeat".into(), heartbeat.into()),
        ("file".into(), run.file.as_str().into()),
        ("seed".into(), run.seed.into()),
        ("steps".into(), run.steps.into()),
        ("trials".into(), trials.into()),
        ("remaining".into(), remaining.into()),
        ("failed".into(), run.failed.into()),
        ("checkpoint".into(), checkpoint.into()),
        ("evaluation_s".into(), effort.seconds.into()),
        ("from_cache".into(), effort.reused().into()),
        ("objectives".into(), objectives.join(", ").into()),
        ("program".into(), run.program.as_str().into()),
        ("forked_from".into(), run.forked_from.clone().into()),
    ];
    rows.extend(run.lost.iter().map(|lost| ("lost".into(), lost.to_string().into())));
    rows.extend(run.origins.iter().map(|origin| ("origin".into(), origin.to_string().into())));
    rows.extend(run.sweep.iter().flat_map(sweep_rows));
    if let Some(args) = run.settings.get("args").and_then(|args| args.as_object()) {
        for (name, value) in args {
            rows.push((format!("args.{name}"), value.to_string().into()));
        }
    }
    for phase in &run.phases {
        let most = phase.steps.map_or_else(String::new, |n| format!(", at most {n} trials"));
        let text = format!("{} from step {}{most}", phase.name, phase.first_step);
        rows.push((format!("phase {}", phase.index), text.into()));
    }
    for (name, digest) in &run.sources {
        rows.push((format!("source {name}"), digest.as_str().into()));
    }
    Ok(rows)
}

fn sweep_rows(sweep: &SweepRecord) -> Vec<(String, TableCell)> {
    let mut rows: Vec<(String, TableCell)> = vec![
        ("pairs".into(), sweep.pairs.into()),
        ("networks".into(), sweep.networks.into()),
        ("networks_done".into(), sweep.done.into()),
        ("networks_left_out".into(), sweep.left_out.into()),
        ("configurations".into(), sweep.configurations.into()),
        ("running_pairs".into(), sweep.running.into()),
        ("frontier".into(), sweep.frontier.into()),
        ("seconds".into(), sweep.seconds.into()),
    ];
    for (metric, (low, high)) in &sweep.ranges {
        rows.push((format!("{metric}_least"), (*low).into()));
        rows.push((format!("{metric}_most"), (*high).into()));
    }
    for goal in &sweep.goals {
        rows.push((format!("objective {}", goal.name), goal.objective.to_string().into()));
        rows.push((format!("pairs within {}", goal.name), goal.valid.into()));
    }
    rows
}

fn trial_rows(run: &RunRecord, entry: &Entry) -> Vec<(String, TableCell)> {
    let Entry { trial, effort } = entry;
    let phase = run.phases.get(trial.phase as usize).map(|phase| phase.name.clone());
    let mut rows: Vec<(String, TableCell)> = vec![
        ("run".into(), run.name.as_str().into()),
        ("step".into(), trial.step.into()),
        ("phase".into(), phase.into()),
    ];
    if run.is_predicted() {
        rows.push(("note".into(), "the accuracy is predicted".into()));
    }
    for (part, text) in &trial.text {
        rows.push((part.clone(), text.as_str().into()));
    }
    for (name, &value) in trial.outcome.metrics() {
        rows.push((name.clone(), value.into()));
    }
    match &trial.outcome {
        Outcome::Done { reward, valid, .. } => {
            rows.push(("reward".into(), (*reward).into()));
            rows.push(("valid".into(), (*valid).into()));
        }
        Outcome::Failed { reason, .. } => rows.push(("failed".into(), reason.as_str().into())),
    }
    rows.push(("duration_s".into(), effort.seconds().into()));
    rows.push(("from_cache".into(), effort.reused.text().into()));
    rows
}

fn print_sources(store: &dyn Reader, run: &RunRecord) -> Result<(), CliError> {
    let mut out = stdout().lock();
    for (name, digest) in &run.sources {
        writeln!(out, "// {name}")?;
        match store.source(digest)? {
            Some(text) => writeln!(out, "{}", text.trim_end())?,
            None => writeln!(out, "// the store has lost this text ({digest})")?,
        }
    }
    Ok(())
}
