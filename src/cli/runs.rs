//! `tandem runs`: lists the runs of the store.

use std::io::stdout;
use std::process::ExitCode;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::note;
use tandem::report::{Format, Table, TableCell};

/// Lists the runs of the store, oldest first.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries out the command.
pub fn run(common: &Common, _args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let mut table =
        Table::new(["run", "status", "trials", "failed", "phases", "seed", "file", "forked_from"]);
    for run in store.runs()? {
        table.push(vec![
            run.name.as_str().into(),
            run.status.to_string().into(),
            store.trial_count(&run.name)?.into(),
            run.failed.into(),
            (run.phases.len() as u64).into(),
            run.seed.into(),
            run.file.into(),
            TableCell::from(run.forked_from),
        ]);
    }
    if table.is_empty() && common.format == Format::Table {
        note!("the store has no runs yet; `tandem run FILE` makes one");
        return Ok(ExitCode::SUCCESS);
    }
    table.write(common.format, stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
