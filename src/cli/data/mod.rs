//! `tandem data`: benchmark tables and image sets.

mod acquired;
mod fetch;
mod import;
mod list;
mod verify;

use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;

/// Lists, downloads, imports and verifies benchmark tables and image sets.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the tables and image sets, and where they are.
    List,
    Fetch(fetch::Args),
    Import(import::Args),
    Verify(verify::Args),
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let data = common.data_dir(None);
    match &args.command {
        Command::List => list::run(common, &data),
        Command::Fetch(args) => fetch::run(&data, args),
        Command::Import(args) => import::run(&data, args),
        Command::Verify(args) => verify::run(common, &data, args),
    }
}
