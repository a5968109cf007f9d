//! `tandem store status`: measures the disk space of the store.

use std::io::stdout;
use std::process::ExitCode;

use super::size::size;
use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::note;
use tandem::report::{Table, grouped};

/// Measures what the store holds and the space it takes.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Carries out the command.
pub fn run(common: &Common, _args: &Args) -> Result<ExitCode, CliError> {
    let space = common.store_to_read()?.space()?;
    let mut table = Table::new(["part", "records", "live_bytes", "disk_bytes"]);
    for part in &space.parts {
        table.push(vec![
            part.name.as_str().into(),
            part.records.into(),
            part.live.into(),
            part.disk.into(),
        ]);
    }
    if let Some(trials) = std::num::NonZero::new(space.trials) {
        table.push(vec![
            "a trial".into(),
            space.trials.into(),
            (space.journals / trials).into(),
            (space.database / trials).into(),
        ]);
    }
    table.write(common.format, stdout().lock())?;
    note!(
        "{} trials; the database holds {} and takes {}",
        grouped(space.trials.into()),
        size(space.live),
        size(space.database)
    );
    if let Some(bytes) = space.reclaimable() {
        note!("`tandem store compact` would give back about {}", size(bytes));
    }
    Ok(ExitCode::SUCCESS)
}
