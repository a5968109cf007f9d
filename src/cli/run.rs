//! `tandem run`: runs an experiment.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::context::{Common, ExperimentArgs, Loaded, at_least_one, read_settings};
use super::error::CliError;
use super::run_json::Took;
use super::{run_json, summary, thresholds};
use tandem::accel::chaidnn;
use tandem::note;
use tandem::report::{Terminal, clear_bar};
use tandem::run::{End, Experiment, Failure, Progress, Study, StudyError, hopeless};
use tandem::script::{Diagnostic, Settings};
use tandem::search::SearchError;
use tandem::store::{RunRecord, Store};

/// Runs an experiment: prints the run's name, then a summary with the frontier.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// The seed of every random number [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// The most trials of the whole run.
    #[arg(long, value_parser = at_least_one)]
    steps: Option<u64>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let mut set = args.experiment.set.clone();
    set.extend(args.seed.map(|seed| format!("seed={seed}")));
    set.extend(args.steps.map(|steps| format!("steps={steps}")));
    let loaded = common.load(&args.experiment.file, &set)?;
    loaded.script.require_run()?;
    let store = common.store()?;
    let record = record(&loaded, &store, &args.experiment.file, None)?;
    let record = store.create_run(record)?;
    carry_on(common, &loaded, &store, record)
}

/// The record of a new run of an experiment.
pub fn record(
    loaded: &Loaded,
    store: &Store,
    file: &Path,
    forked_from: Option<String>,
) -> Result<RunRecord, CliError> {
    let mut sources = BTreeMap::new();
    for (name, text) in loaded.script.sources() {
        sources.insert(name, store.put_source(&text)?);
    }
    let stem = file.file_stem().map_or_else(|| "run".into(), |stem| stem.to_string_lossy());
    Ok(RunRecord {
        sources,
        settings: to_stored(&loaded.settings)?,
        defaults: to_stored(&read_settings(file)?)?,
        seed: loaded.settings.seed.unwrap_or(0),
        steps: loaded.settings.steps,
        objectives: loaded.script.objectives().to_vec(),
        program: env!("CARGO_PKG_VERSION").to_owned(),
        data: models(),
        forked_from,
        ..RunRecord::new(&stem, &file.display().to_string())
    })
}

/// The versions of the models that metrics come from.
pub fn models() -> BTreeMap<String, String> {
    BTreeMap::from([("chaidnn".to_owned(), chaidnn::model_version().to_owned())])
}

/// Settings as the store keeps them.
pub fn to_stored(settings: &Settings) -> Result<serde_json::Value, CliError> {
    serde_json::to_value(settings)
        .map_err(|error| CliError::usage(format!("the settings cannot be stored: {error}")))
}

/// Runs from where the store's journal ends, then prints the summary.
pub fn carry_on(
    common: &Common,
    loaded: &Loaded,
    store: &Arc<Store>,
    record: RunRecord,
) -> Result<ExitCode, CliError> {
    let name = record.name.clone();
    summary::print_name(common, &name)?;
    let before = store.trial_count(&name)?;
    let started = Instant::now();
    let stop = loaded.stop();
    let mut terminal = Terminal::new(record.steps);
    loaded.keep_in(store);
    loaded.script.host().trainer().observe(terminal.trainings());
    let study = Study {
        experiment: &loaded.script,
        store,
        run: record,
        threads: loaded.threads(),
        stop: &stop,
        observer: &mut terminal,
    };
    let ended = study.run();
    drop(terminal);
    let (end, progress) = ended.map_err(|error| explain(loaded, error))?;
    let took = Took { trials: progress.steps().saturating_sub(before), time: started.elapsed() };
    match end {
        End::Finished
            if summary_to_the_end(common, loaded, store, &name, &progress, Some(took))? =>
        {
            match hopeless(&progress) {
                Some(error) => Err(explain(loaded, error)),
                None => Ok(thresholds::verdict(loaded, &progress)),
            }
        }
        End::Finished => Ok(ExitCode::from(130)),
        End::Interrupted => {
            if common.json {
                let record = store.run(&name)?;
                run_json::print(loaded, store.as_ref(), &record, &progress, Some(took), &[])?;
            }
            note!("interrupted after {} trials; `tandem resume {name}` goes on", progress.steps());
            Ok(ExitCode::from(130))
        }
    }
}

/// Prints the summary of a run; `false` if a training that it asks for was interrupted.
pub fn summary_to_the_end(
    common: &Common,
    loaded: &Loaded,
    store: &Arc<Store>,
    name: &str,
    progress: &Progress,
    took: Option<Took>,
) -> Result<bool, CliError> {
    loaded.stop();
    loaded.keep_in(store);
    let trainer = loaded.script.host().trainer();
    let printed = summary::print(common, loaded, store.as_ref(), &store.run(name)?, progress, took);
    if printed.is_err() && trainer.was_interrupted() {
        note!("interrupted; `tandem show {name} --summary` goes on with the summary");
        return Ok(false);
    }
    printed?;
    Ok(true)
}

/// The first Ctrl-C stops at the next opportunity, the second at once.
pub fn listen(stop: &Arc<AtomicBool>) {
    let stop = stop.clone();
    let handler = move || {
        if stop.swap(true, Ordering::Relaxed) {
            clear_bar();
            std::process::exit(130);
        }
        note!("stopping after the points at hand; Ctrl-C again stops at once");
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl-C will not stop the run cleanly: {error}");
    }
}

/// An error of a run, with the script's source line where one is behind it.
pub fn explain(loaded: &Loaded, error: StudyError) -> CliError {
    let call = |head: Option<String>, diagnostic: Diagnostic| CliError::Call {
        head,
        diagnostic: Box::new(diagnostic),
        sources: loaded.script.texts().clone(),
    };
    let (head, message) = match &error {
        StudyError::Threshold(error) => {
            return call(None, loaded.script.explain_threshold(error));
        }
        StudyError::Phase { phase, .. }
        | StudyError::Space { phase, .. }
        | StudyError::Controller { phase, source: SearchError::Setting { .. } } => {
            let message = match error.source() {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            };
            return call(None, loaded.script.explain_phase(phase, message));
        }
        StudyError::Schedule(Failure(message)) | StudyError::Unusable(Failure(message)) => {
            (None, message)
        }
        StudyError::Hopeless { trials, reason } => {
            (Some(format!("each of the first {trials} trials failed, the first with:")), reason)
        }
        _ => return CliError::Study(error),
    };
    match loaded.script.diagnostic(message) {
        Some(diagnostic) => call(head, diagnostic),
        None => CliError::Study(error),
    }
}
