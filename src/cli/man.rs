//! `tandem man`: manual pages.

use std::fs;
use std::io::{self, Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::cli::common::error::CliError;
use crate::cli::common::help;
use tandem::note;
use tandem::util::atomic_file::write_whole;

/// Prints the manual page, or writes one for every command into a folder.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where tandem.1, tandem-run.1 and so on are written, such as ~/.local/share/man/man1.
    dir: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args, command: Command) -> Result<ExitCode, CliError> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        stdout().write_all(&page(command)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    fs::create_dir_all(dir).map_err(|source| CliError::File { path: dir.clone(), source })?;
    let pages = write(&command, dir)?;
    note!("{pages} pages written to {}", dir.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of a command and those of its subcommands; returns the number of pages.
fn write(command: &Command, dir: &Path) -> Result<usize, CliError> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    let path = dir.join(format!("{name}.1"));
    let page = page(command.clone())?;
    write_whole(&path, &page).map_err(|source| CliError::File { path, source })?;
    command
        .get_subcommands()
        .map(|command| write(command, dir))
        .sum::<Result<usize, CliError>>()
        .map(|n| n + 1)
}

/// Renders a page, with the exit codes and environment variables that all commands share.
fn page(command: Command) -> io::Result<Vec<u8>> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    let has_commands = command.has_subcommands();
    let examples = help::examples(command.get_name());
    let man = Man::new(command)
        .source(format!("tandem {}", env!("CARGO_PKG_VERSION")))
        .manual("Tandem")
        .title(name.to_uppercase());
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if has_commands {
        man.render_subcommands_section(&mut page)?;
    }
    let mut shared = Roff::new();
    if let Some(examples) = examples {
        shared.control("SH", ["EXAMPLES"]);
        shared.control("nf", []);
        for line in examples.lines() {
            shared.text([roman(line)]);
        }
        shared.control("fi", []);
    }
    shared.control("SH", ["EXIT STATUS"]);
    for (code, meaning) in help::EXIT_CODES {
        entry(&mut shared, &code.to_string(), meaning);
    }
    shared.control("SH", ["ENVIRONMENT"]);
    for (variable, meaning) in help::ENVIRONMENT {
        entry(&mut shared, variable, meaning);
    }
    shared.to_writer(&mut page)?;
    Ok(page)
}

fn entry(roff: &mut Roff, name: &str, meaning: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(meaning)]);
}
