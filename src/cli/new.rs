//! `tandem new`: writes an experiment to start with.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ValueEnum;
use serde_json::json;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::output::{names, print_json};
use crate::cli::common::shell_quote::quoted;
use tandem::note;
use tandem::util::atomic_file::write_new;

/// What an experiment begins as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Template {
    /// NAS-Bench-201 networks with CHaiDNN accelerators: needs no download, and is done in seconds.
    #[default]
    Search,
    /// A space of your own, judged by formulas.
    Space,
    /// Networks that are trained, on images that the program draws.
    Train,
}

impl Template {
    const fn script(self) -> &'static str {
        match self {
            Self::Search => include_str!("../../scripts/templates/search.rhai"),
            Self::Space => include_str!("../../scripts/templates/space.rhai"),
            Self::Train => include_str!("../../scripts/templates/train.rhai"),
        }
    }
}

/// The settings file of an experiment in a folder.
const SETTINGS: &str = include_str!("../../scripts/templates/experiment.yaml");

/// Writes an experiment to begin with: a script with comments, which runs as it is.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The experiment's name: NAME.rhai is written, or with --folder what is in NAME/.
    name: PathBuf,
    /// What it begins as.
    #[arg(long, value_enum, default_value_t)]
    template: Template,
    /// Writes a folder: experiment.rhai, and experiment.yaml with its settings.
    #[arg(long)]
    folder: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let name = if args.name.extension().is_some_and(|extension| extension == "rhai") {
        args.name.with_extension("")
    } else {
        args.name.clone()
    };
    if name.file_name().is_none_or(|stem| stem.to_string_lossy().starts_with(['-', '.'])) {
        return Err(CliError::usage(format!("`{}` names no experiment", args.name.display())));
    }
    let script = args.template.script();
    let (files, start) = if args.folder {
        let settings = name.join("experiment.yaml");
        let files = vec![(name.join("experiment.rhai"), script), (settings.clone(), SETTINGS)];
        (files, settings)
    } else {
        let mut file = name.into_os_string();
        file.push(".rhai");
        let file = PathBuf::from(file);
        (vec![(file.clone(), script)], file)
    };
    if let Some((taken, _)) = files.iter().find(|(file, _)| file.exists()) {
        return Err(taken_by(taken));
    }
    for (file, text) in &files {
        write(file, text)?;
        if !common.json {
            writeln!(stdout(), "{}", file.display())?;
        }
    }
    if common.json {
        print_json(&json!({ "written": names(files.iter().map(|(file, _)| file.as_path())) }))?;
    }
    let start = quoted(&start.display().to_string());
    note!("next: `tandem check {start}` is a dry run, `tandem run {start}` searches");
    Ok(ExitCode::SUCCESS)
}

fn taken_by(file: &Path) -> CliError {
    CliError::Usage {
        message: format!("{} is there already, and is left as it is", file.display()),
        hint: Some("give the new experiment another name".to_owned()),
    }
}

/// Writes a file that must not exist yet.
fn write(file: &Path, text: &str) -> Result<(), CliError> {
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::AlreadyExists => taken_by(file),
        _ => CliError::File { path: file.to_path_buf(), source },
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    write_new(file, text.as_bytes()).map_err(failed)
}
