//! `tandem definitions`: what editors and people want to know of the functions of scripts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::error::CliError;
use crate::script::{definitions, reference_page};

/// Writes definitions of what scripts can call, for editors with the Rhai language server.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The folder of the definition files, which is made if need be.
    #[arg(default_value = ".rhai/definitions")]
    dir: PathBuf,
    /// Writes the reference to this file instead, as Markdown.
    #[arg(long, value_name = "FILE", conflicts_with = "dir")]
    markdown: Option<PathBuf>,
}

/// Carries out the command.
pub fn run(args: &Args) -> Result<ExitCode, CliError> {
    if let Some(file) = &args.markdown {
        write(file, &reference_page()?)?;
        eprintln!("wrote {}", file.display());
        return Ok(ExitCode::SUCCESS);
    }
    let dir = &args.dir;
    fs::create_dir_all(dir).map_err(|source| CliError::File { path: dir.clone(), source })?;
    let files = definitions()?;
    for (name, text) in &files {
        write(&dir.join(name), text)?;
    }
    eprintln!("wrote {} files to {}", files.len(), dir.display());
    Ok(ExitCode::SUCCESS)
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    fs::write(path, text).map_err(|source| CliError::File { path: path.to_owned(), source })
}
