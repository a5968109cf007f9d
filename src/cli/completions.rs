//! `tandem completions`: generates a shell completion script.

use std::io::stdout;
use std::process::ExitCode;

use clap::Command;
use clap_complete::{Shell, generate};

use crate::cli::common::error::CliError;

/// Prints the completions of a shell, for the file that it reads them from.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Carries out the command.
pub fn run(args: &Args, mut command: Command) -> Result<ExitCode, CliError> {
    let mut text = Vec::new();
    generate(args.shell, &mut command, "tandem", &mut text);
    std::io::Write::write_all(&mut stdout(), &text)?;
    Ok(ExitCode::SUCCESS)
}
