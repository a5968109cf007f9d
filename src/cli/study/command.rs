//! The steps of the command.

use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use super::exact::Exact;
use super::experiments::Experiments;
use super::verdict::{ScenarioVerdict, judge};
use super::{page, tables};
use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::interrupt::stop;
use tandem::note;
use tandem::report::{Format, StudyBar};
use tandem::run::{RunEnd, RunError};
use tandem::script::{Diagnostic, ScriptError, SettingsError, Sources};
use tandem::session::{Change, diff, one_line};
use tandem::store::{RunRecord, Status, Store, StoreError, StudyRecord, now_s};
use tandem::study::{PlanError, PlannedRun, StudyPlan, run_all};
use tandem::util::atomic_file::write_whole;

/// Runs strategies on scenarios, each repeated over seeds, and compares them: outcomes with quartiles
/// and intervals, and a report with figures.
///
/// The same command goes on with an interrupted study, and runs what was added to its file. A finished
/// study is reported again.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The study: a .yaml file with `scenarios`, `strategies` and `repeats`.
    file: PathBuf,
    /// Runs at once [default: the number of processors]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where the report is written, one HTML file [default: the study's name with .html]
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Starts a new study with the file as it is now.
    #[arg(long)]
    fork: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let threads = threads(args.threads)?;
    let (plan, text) = StudyPlan::load(&args.file).map_err(placed)?;
    let experiments = Experiments::load(common, (&args.file, &text), &plan)?;
    let exact = match &plan.exact {
        Some(file) => Some(Exact::load(common, &args.file, file, &experiments)?),
        None => None,
    };
    let store = common.store()?;
    let study = started(&store, args, &plan, &text)?;
    let runs = experiments.records(&store, &study, &plan)?;
    let runs = experiments.known(&store, &study, runs)?;
    note(&store, &study, &plan, &text)?;
    print_name(common, &study, runs.len())?;

    let stop = stop();
    experiments.prepare(&store, &stop);
    if search(&study, &store, &experiments, &runs, threads, &stop)? == RunEnd::Interrupted {
        return interrupted(&store, &runs, "");
    }
    let swept = match &exact {
        None => None,
        Some(exact) => match exact.sweep(&store, &stop)? {
            Some(swept) => Some(swept),
            None => return interrupted(&store, &runs, ", and the sweep is not"),
        },
    };
    let judged = judge(&store, &plan, &study, &experiments, swept.as_ref(), threads)?;
    print(common, &judged)?;
    let path = args.report.clone().unwrap_or_else(|| format!("{}.html", study.name).into());
    write(&path, &page::page(&plan, &text, &study, &judged)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Converts an error of a study's file to a diagnostic with the line it is about.
fn placed(error: PlanError) -> CliError {
    let (path, text, diagnostic) = match error {
        PlanError::Form { path, text, error } => {
            let diagnostic = Diagnostic::of_yaml(&path.display().to_string(), &text, &error);
            (path, text, diagnostic)
        }
        PlanError::Wrong { path, text, keys, what } => {
            let label = path.display().to_string();
            let diagnostic = Diagnostic::new(what).in_yaml(&label, &text, &keys);
            (path, text, diagnostic)
        }
        PlanError::Read { .. } => return error.into(),
    };
    let sources = Sources::of(&path.display().to_string(), &text);
    let diagnostic = Box::new(diagnostic);
    ScriptError::Settings(SettingsError::Wrong { diagnostic, sources }).into()
}

fn threads(asked: Option<usize>) -> Result<usize, CliError> {
    match asked {
        Some(threads @ (0 | 1_025..)) => {
            Err(CliError::usage(format!("--threads is {threads}; it must be from 1 to 1024")))
        }
        Some(threads) => Ok(threads),
        None => Ok(std::thread::available_parallelism().map_or(1, usize::from)),
    }
}

/// Returns the latest study of the file, or a new one.
///
/// Refuses a file that differs from the study by more than additions.
fn started(
    store: &Store,
    args: &Args,
    plan: &StudyPlan,
    text: &str,
) -> Result<StudyRecord, CliError> {
    let file = args.file.display().to_string();
    let real = |file: &Path| std::fs::canonicalize(file).ok();
    let meant = real(&args.file);
    let before = latest_study(store, |known| {
        known == file || (meant.is_some() && real(Path::new(known)) == meant)
    })?;
    if let Some(study) = before.as_ref().filter(|_| !args.fork) {
        let known: StudyPlan = serde_json::from_value(study.plan.clone()).map_err(|error| {
            CliError::usage(format!("the plan of study `{}` cannot be read: {error}", study.name))
        })?;
        let conflicts = plan.conflicts(&known);
        if !conflicts.is_empty() {
            let name = args.file.file_name().map_or(file, |name| name.to_string_lossy().into());
            let then = store.source(&study.source)?.unwrap_or_default();
            return Err(CliError::ChangedStudy {
                study: study.name.clone(),
                changes: vec![Change {
                    what: format!("`{name}` ({})", conflicts.join(", ")),
                    affects: "the runs of the study".to_owned(),
                    diff: diff(&name, &then, text),
                }],
                file: args.file.clone(),
            });
        }
        return Ok(study.clone());
    }
    let stem = args.file.file_stem().map_or_else(|| "study".into(), |stem| stem.to_string_lossy());
    let new = StudyRecord {
        name: stem.into_owned(),
        file,
        source: store.put_source(text)?,
        plan: stored(plan)?,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        forked_from: before.map(|study| study.name),
        created_s: now_s(),
        number: 0,
    };
    Ok(store.create_study(new)?)
}

/// The latest study whose file satisfies `is_meant`.
fn latest_study(
    store: &Store,
    is_meant: impl Fn(&str) -> bool,
) -> Result<Option<StudyRecord>, StoreError> {
    let meant = store.studies()?.into_iter().filter(|study| is_meant(&study.file));
    Ok(meant.max_by_key(|study| study.number))
}

/// Records the current content of the file.
fn note(store: &Store, study: &StudyRecord, plan: &StudyPlan, text: &str) -> Result<(), CliError> {
    let source = store.put_source(text)?;
    Ok(store.update_study(&StudyRecord { source, plan: stored(plan)?, ..study.clone() })?)
}

fn stored(plan: &StudyPlan) -> Result<serde_json::Value, CliError> {
    serde_json::to_value(plan)
        .map_err(|error| CliError::usage(format!("the study cannot be stored: {error}")))
}

fn print_name(common: &Common, study: &StudyRecord, runs: usize) -> Result<(), CliError> {
    let line = format!("study {}: {runs} runs", study.name);
    if common.format == Format::Table {
        writeln!(stdout(), "{line}")?;
        stdout().flush()?;
    } else {
        note!("{line}");
    }
    Ok(())
}

/// Runs the planned runs that are not finished.
fn search(
    study: &StudyRecord,
    store: &Store,
    experiments: &Experiments,
    runs: &[RunRecord],
    threads: usize,
    stop: &AtomicBool,
) -> Result<RunEnd, CliError> {
    let left: Vec<(usize, &RunRecord)> =
        runs.iter().enumerate().filter(|(_, run)| run.status != Status::Finished).collect();
    let planned = |&(index, run): &(usize, &RunRecord)| PlannedRun {
        experiment: &experiments.of_run(index).script,
        run: run.clone(),
    };
    let planned: Vec<PlannedRun<'_>> = left.iter().map(planned).collect();
    let bar = StudyBar::new(runs.len() as u64, (runs.len() - left.len()) as u64);
    let ended = run_all(store, &planned, threads, stop, &|event| bar.observe(event));
    drop(bar);
    ended.map_err(|failure| match *failure.error {
        RunError::OriginChanged { what, before, now, .. } => CliError::ChangedStudy {
            study: study.name.clone(),
            changes: vec![Change {
                what: format!("what the {what} come from"),
                affects: "the metrics of every trial".to_owned(),
                diff: one_line(&before, &now),
            }],
            file: study.file.clone().into(),
        },
        error => {
            note!("run `{}` stopped", failure.run);
            experiments.of_run(left[failure.index].0).explain(error).into()
        }
    })
}

fn interrupted(store: &Store, runs: &[RunRecord], more: &str) -> Result<ExitCode, CliError> {
    let mut finished = 0;
    for run in runs {
        finished += usize::from(store.run(&run.name)?.status == Status::Finished);
    }
    note!(
        "interrupted: {finished} of {} runs are finished{more}; the same command goes on",
        runs.len()
    );
    Ok(ExitCode::from(130))
}

fn print(common: &Common, judged: &[ScenarioVerdict]) -> Result<(), CliError> {
    let mut out = stdout().lock();
    if common.format == Format::Table {
        return Ok(tables::print(judged, &mut out)?);
    }
    for judged in judged.iter().filter(|judged| judged.predicted) {
        note!("note: the accuracies of scenario {} are predicted", judged.name);
    }
    Ok(tables::flat(judged).write(common.format, &mut out)?)
}

fn write(path: &Path, page: &str) -> Result<(), CliError> {
    write_whole(path, page.as_bytes())
        .map_err(|source| CliError::File { path: path.to_path_buf(), source })?;
    note!("wrote {}", path.display());
    Ok(())
}
