//! `tandem resume`: resumes an interrupted run.

use std::process::ExitCode;

use super::run::carry_on;
use super::sweep;
use crate::cli::common::context::{Common, at_least_one};
use crate::cli::common::error::CliError;
use tandem::session::{Overrides, fork, resume};

/// Goes on with an interrupted run, to the same trials as if it had never been interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's name.
    run: String,
    /// Starts a new run of the experiment as it is now, with the same settings.
    #[arg(long)]
    fork: bool,
    /// Changes the most trials of the whole run; a run that such a limit ended goes on if there are more.
    #[arg(long, value_parser = at_least_one)]
    steps: Option<u64>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.existing_store()?;
    let overrides = Overrides { steps: args.steps, data: common.data.clone() };
    if args.fork {
        let (loaded, record) = fork(&store, &args.run, &overrides)?;
        if record.sweep.is_some() {
            return sweep::fork(common, &loaded, &store, record);
        }
        return carry_on(common, &loaded, &store, store.create_run(record)?);
    }
    let (loaded, record) = resume(&store, &args.run, &overrides)?;
    if record.sweep.is_some() {
        return sweep::resume(common, &loaded, &store, record);
    }
    carry_on(common, &loaded, &store, record)
}
