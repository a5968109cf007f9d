//! Options that all commands share, and the loading of stores and experiments.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tracing_subscriber::EnvFilter;

use crate::cli::common::error::CliError;
use tandem::note;
use tandem::report::{Color, Format, Verbosity};
use tandem::script::Settings;
use tandem::session::{self, Loaded};
use tandem::store::server::{self, Served};
use tandem::store::{OpenMode, Reader, RunRecord, Store};

/// Parses a count that must be at least 1.
pub fn at_least_one(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(count) => Ok(count),
        Err(_) => Err("it must be a whole number".to_owned()),
    }
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// The folder of the store.
    #[arg(
        long,
        global = true,
        display_order = 101,
        value_name = "DIR",
        default_value = ".tandem",
        env = "TANDEM_STORE"
    )]
    pub store: PathBuf,
    /// The folder of benchmark tables and image sets [default: data]
    #[arg(long, global = true, display_order = 102, value_name = "DIR", env = "TANDEM_DATA")]
    pub data: Option<PathBuf>,
    /// How tables are printed.
    #[arg(long, global = true, display_order = 103, value_enum, default_value_t)]
    pub format: Format,
    /// Prints results as `--format json` does, the outcome of a run as one object, and an error as one
    /// line of JSON on standard error, where nothing else is said.
    #[arg(long, global = true, display_order = 104, conflicts_with = "format")]
    pub json: bool,
    /// Says nothing but results and errors: no progress, no notes.
    #[arg(short, long, global = true, display_order = 105)]
    pub quiet: bool,
    /// When messages are colored.
    #[arg(
        long,
        global = true,
        display_order = 106,
        value_enum,
        value_name = "WHEN",
        default_value_t
    )]
    pub color: Color,
}

/// An experiment named on the command line.
#[derive(Debug, Args)]
pub struct ExperimentArgs {
    /// The experiment: a .rhai script, or a .yaml file that names one with its settings.
    pub file: PathBuf,
    /// Overrides a setting (seed, steps, threads, top, data, limits.NAME) or an argument of the script.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// One pair of an experiment named on the command line.
#[derive(Debug, Args)]
pub struct PairArgs {
    /// The experiment.
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// The text of a part, as results show it; parts that are not given are drawn by the seed.
    #[arg(long = "at", value_name = "PART=TEXT")]
    pub at: Vec<String>,
}

impl Common {
    /// The settings of messages: quiet, JSON and color.
    pub const fn verbosity(&self) -> Verbosity {
        Verbosity { quiet: self.quiet || self.json, json: self.json, color: self.color }
    }

    /// Opens the store for writing and creates it if it does not exist.
    pub fn store(&self) -> Result<Served, CliError> {
        Ok(Served::new(Store::open(&self.store, OpenMode::ReadWrite)?))
    }

    /// Opens an existing store for reading, even while another process has it open.
    pub fn reader(&self) -> Result<Arc<dyn Reader>, CliError> {
        Ok(server::open(&self.store)?)
    }

    /// Opens an existing store for writing.
    pub fn existing_store(&self) -> Result<Served, CliError> {
        Ok(Served::new(Store::open(&self.store, OpenMode::ReadWriteMustExist)?))
    }

    /// Opens an existing store for reading; no process may write it.
    pub fn store_to_read(&self) -> Result<Store, CliError> {
        Ok(Store::open(&self.store, OpenMode::ReadOnlyMustExist)?)
    }

    /// The folder of benchmark tables: the option or `TANDEM_DATA`, else the setting, else `data`.
    pub fn data_dir(&self, settings: Option<&Settings>) -> PathBuf {
        session::data_folder(self.data.as_deref(), settings)
    }

    /// Loads an experiment with overrides.
    pub fn load(&self, file: &Path, set: &[String]) -> Result<Loaded, CliError> {
        Ok(session::load(file, set, self.data.as_deref())?)
    }

    /// Loads an experiment with complete settings.
    pub fn load_with(&self, file: &Path, settings: Settings) -> Result<Loaded, CliError> {
        Ok(session::load_with(file, settings, self.data.as_deref())?)
    }

    /// Loads the experiment of a stored run as it is now, with the run's settings.
    pub fn load_run(&self, record: &RunRecord) -> Result<Loaded, CliError> {
        Ok(session::load_run(record, self.data.as_deref())?)
    }
}

/// Reports predicted accuracies of runs, and returns true if a table labels its column.
///
/// The label is for people, if all runs are predicted. Otherwise a note names the runs, as columns for
/// programs keep their names.
pub fn label_predicted(common: &Common, runs: &[RunRecord]) -> bool {
    let predicted: Vec<&str> =
        runs.iter().filter(|run| run.is_predicted()).map(|run| run.name.as_str()).collect();
    if predicted.is_empty() {
        return false;
    }
    if common.format != Format::Table || predicted.len() < runs.len() {
        note!("note: the accuracies of {} are predicted", predicted.join(", "));
    }
    common.format == Format::Table && predicted.len() == runs.len()
}

/// The folder of caches: `TANDEM_CACHE`, else `tandem` in the user's cache folder.
pub fn cache_dir() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("TANDEM_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("tandem")))
        .or_else(|| env::home_dir().map(|home| home.join(".cache/tandem")))
}

/// Sends the program's log to standard error, filtered by `TANDEM_LOG`.
pub fn log() {
    let filter = EnvFilter::try_from_env("TANDEM_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,sled=off,script=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(Verbosity::get().colors())
        .without_time()
        .try_init();
}
