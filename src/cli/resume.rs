//! `tandem resume`: goes on with an interrupted run.

use std::path::Path;
use std::process::ExitCode;

use super::changes::{changes, forked};
use super::context::{Common, stored_settings};
use super::error::CliError;
use super::run::{carry_on, record, to_stored};
use super::sweep;
use crate::store::Status;

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
    if args.fork {
        let file = known.file.clone();
        let mut settings = forked(&known)?;
        settings.steps = args.steps.or(settings.steps);
        let loaded = common.load_with(Path::new(&file), settings)?;
        if known.sweep.is_some() {
            return sweep::fork(common, &loaded, &store, Path::new(&file), known.name);
        }
        let record = record(&loaded, &store, Path::new(&file), Some(known.name))?;
        let record = store.create_run(record)?;
        return carry_on(common, &loaded, &store, record);
    }
    let mut settings = stored_settings(&known)?;
    settings.steps = args.steps.or(settings.steps);
    let loaded = common.load_with(Path::new(&known.file), settings)?;
    let changes = changes(&store, &known, &loaded)?;
    if !changes.is_empty() {
        return Err(CliError::Changed { run: known.name, changes });
    }
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
        known.settings = to_stored(&loaded.settings)?;
    }
    if known.sweep.is_some() {
        return sweep::resume(common, &loaded, &store, known);
    }
    carry_on(common, &loaded, &store, known)
}
