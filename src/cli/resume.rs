//! `tandem resume`: goes on with an interrupted run.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use similar::TextDiff;

use super::context::{Common, Loaded};
use super::error::CliError;
use super::run::{carry_on, models, record, settings_of};
use super::sweep;
use crate::script::Settings;
use crate::store::{RunRecord, Status, Store};

/// Goes on with an interrupted run, to the same trials as if it had never been interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's name.
    run: String,
    /// Starts a new run of the experiment as it is now, with the same settings.
    #[arg(long)]
    fork: bool,
    /// Changes the most trials of the whole run; a finished run goes on if there are more.
    #[arg(long)]
    steps: Option<u64>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.store()?;
    let mut known = store.run(&args.run)?;
    let mut settings: Settings =
        serde_json::from_value(known.settings.clone()).map_err(|error| {
            CliError::usage(format!("the settings of run `{}` cannot be read: {error}", args.run))
        })?;
    settings.steps = args.steps.or(settings.steps);
    if args.fork {
        let file = known.file.clone();
        let loaded = common.load_with(Path::new(&file), settings)?;
        if known.sweep.is_some() {
            return sweep::fork(common, &loaded, &store, Path::new(&file), known.name);
        }
        let record = record(&loaded, &store, Path::new(&file), Some(known.name))?;
        let record = store.create_run(record)?;
        return carry_on(common, &loaded, &store, record);
    }
    let loaded = common.load_with(Path::new(&known.file), settings)?;
    refuse_changes(&store, &known, &loaded)?;
    let more = args.steps.is_some_and(|steps| steps > known.trials);
    if known.status == Status::Finished && !more {
        return Err(CliError::Usage {
            message: format!("run `{}` is finished", known.name),
            hint: Some(format!(
                "`tandem show {0}` shows it; `tandem resume {0} --steps N` goes on to N trials if a \
                 limit of steps ended it",
                known.name
            )),
        });
    }
    if args.steps.is_some() {
        known.steps = args.steps;
        known.settings = settings_of(&loaded)?;
    }
    if known.sweep.is_some() {
        return sweep::resume(common, &loaded, &store, known);
    }
    carry_on(common, &loaded, &store, known)
}

/// Refuses to go on with other script texts, another program or other models than the run started
/// with.
fn refuse_changes(store: &Store, known: &RunRecord, loaded: &Loaded) -> Result<(), CliError> {
    match change(store, known, loaded)? {
        None => Ok(()),
        Some((what, diff)) => Err(CliError::Changed { run: known.name.clone(), what, diff }),
    }
}

/// The first thing that is not what it was when a run started, and how it changed: script texts, the
/// program, models.
pub fn change(
    store: &Store,
    known: &RunRecord,
    loaded: &Loaded,
) -> Result<Option<(String, String)>, CliError> {
    let now: BTreeMap<String, Arc<str>> = loaded.script.sources();
    let names = known.sources.keys().chain(now.keys());
    for name in names {
        let before = match known.sources.get(name) {
            Some(digest) => store.source(digest)?.unwrap_or_default(),
            None => String::new(),
        };
        let after = now.get(name).map_or("", |text| text.as_ref());
        if before != after {
            return Ok(Some((format!("`{name}`"), diff(name, &before, after))));
        }
    }
    let changed = |what: &str, before: String, now: String| {
        Ok(Some((what.to_owned(), format!("-{before}\n+{now}\n"))))
    };
    let program = env!("CARGO_PKG_VERSION");
    if known.program != program {
        let before = format!("tandem {}", known.program);
        return changed("the program", before, format!("tandem {program}"));
    }
    if known.sweep.is_none() {
        for (model, now) in models() {
            let before = known.data.get(&model).cloned().unwrap_or_default();
            if before != now {
                return changed("a model", format!("{model} {before}"), format!("{model} {now}"));
            }
        }
    }
    Ok(None)
}

/// How a text changed, as a unified diff.
pub fn diff(name: &str, before: &str, after: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .header(&format!("{name} (at the start)"), &format!("{name} (now)"))
        .to_string()
}
