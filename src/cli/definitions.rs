//! `tandem definitions`: writes definitions of the functions of scripts, for editors and people.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::json;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::output::{names, print_json};
use tandem::note;
use tandem::script::{definitions, reference_page};
use tandem::util::atomic_file::write_whole;

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
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let written = match &args.markdown {
        Some(file) => {
            write(file, &reference_page()?)?;
            note!("wrote {}", file.display());
            vec![file.clone()]
        }
        None => write_all(&args.dir)?,
    };
    if common.json {
        print_json(&json!({ "written": names(written.iter().map(PathBuf::as_path)) }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the definition files into a folder; returns their paths.
fn write_all(dir: &Path) -> Result<Vec<PathBuf>, CliError> {
    fs::create_dir_all(dir).map_err(|source| CliError::File { path: dir.to_owned(), source })?;
    let mut written = Vec::new();
    for (name, text) in definitions()? {
        let path = dir.join(name);
        write(&path, &text)?;
        written.push(path);
    }
    note!("wrote {} files to {}", written.len(), dir.display());
    Ok(written)
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    write_whole(path, text.as_bytes())
        .map_err(|source| CliError::File { path: path.to_owned(), source })
}
