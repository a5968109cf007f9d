//! What every command shares: where things are, and how an experiment is loaded.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use clap::Args;
use tracing_subscriber::EnvFilter;

use super::error::CliError;
use super::run::listen;
use tandem::note;
use tandem::report::{Colour, Format, Voice};
use tandem::run::{Experiment, Failure, StoredEstimates, StoredTrainings};
use tandem::script::{Script, ScriptError, Settings, SettingsError};
use tandem::space::Point;
use tandem::store::server::{self, Served};
use tandem::store::{OpenMode, Reader, RunRecord, Store};
use tandem::util::rng::stream;

/// Reads a count that makes no sense as 0.
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
    /// When messages are coloured.
    #[arg(
        long,
        global = true,
        display_order = 106,
        value_enum,
        value_name = "WHEN",
        default_value_t
    )]
    pub color: Colour,
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

/// An experiment and the settings it was loaded with.
pub struct Loaded {
    /// The script.
    pub script: Script,
    /// Its settings, overrides included.
    pub settings: Settings,
    stop: OnceLock<Arc<AtomicBool>>,
}

impl Common {
    /// How the program is to speak.
    pub const fn voice(&self) -> Voice {
        Voice { quiet: self.quiet || self.json, json: self.json, colour: self.color }
    }

    /// Opens the store for writing; makes it if there is none.
    pub fn store(&self) -> Result<Served, CliError> {
        Ok(Served::new(Store::open(&self.store, OpenMode::ReadWrite)?))
    }

    /// What can be read of a store that must be there, whichever process has it open.
    pub fn reader(&self) -> Result<Arc<dyn Reader>, CliError> {
        Ok(server::open(&self.store)?)
    }

    /// Opens a store that must be there for writing.
    pub fn existing_store(&self) -> Result<Served, CliError> {
        Ok(Served::new(Store::open(&self.store, OpenMode::ReadWriteMustExist)?))
    }

    /// Opens a store that must be there, and that no process writes, for reading.
    pub fn store_to_read(&self) -> Result<Store, CliError> {
        Ok(Store::open(&self.store, OpenMode::ReadOnlyMustExist)?)
    }

    /// The folder of benchmark tables: the option or `TANDEM_DATA`, else the setting, else `data`.
    pub fn data_dir(&self, settings: Option<&Settings>) -> PathBuf {
        let setting = settings.and_then(|settings| settings.data.clone());
        self.data.clone().or(setting).unwrap_or_else(|| PathBuf::from("data"))
    }

    /// Loads an experiment with overrides.
    pub fn load(&self, file: &Path, set: &[String]) -> Result<Loaded, CliError> {
        let mut settings = read_settings(file)?;
        for assignment in set {
            settings.set(assignment).map_err(ScriptError::from)?;
        }
        self.load_with(file, settings)
    }

    /// Loads an experiment with settings that are already complete.
    pub fn load_with(&self, file: &Path, settings: Settings) -> Result<Loaded, CliError> {
        let path = settings.script.clone().unwrap_or_else(|| file.to_path_buf());
        let data = self.data_dir(Some(&settings));
        let script = Script::load(&path, &settings, data)?;
        Ok(Loaded { script, settings, stop: OnceLock::new() })
    }
}

/// The settings that a stored run was started with.
pub fn stored_settings(record: &RunRecord) -> Result<Settings, CliError> {
    serde_json::from_value(record.settings.clone()).map_err(|error| {
        let name = &record.name;
        let why = match &record.lost {
            Some(lost) if lost.record => ", as its record was read from a damaged page",
            _ => "",
        };
        CliError::usage(format!("the settings of run `{name}` cannot be read{why}: {error}"))
    })
}

/// Loads the experiment of a stored run as it is now, with the run's settings.
pub fn stored_experiment(common: &Common, record: &RunRecord) -> Result<Loaded, CliError> {
    common.load_with(Path::new(&record.file), stored_settings(record)?)
}

impl Loaded {
    /// What Ctrl-C sets; trainings end by it too.
    pub fn stop(&self) -> Arc<AtomicBool> {
        let listening = || {
            let stop = Arc::new(AtomicBool::new(false));
            listen(&stop);
            self.script.host().trainer().stop_at(stop.clone());
            stop
        };
        self.stop.get_or_init(listening).clone()
    }

    /// Keeps the experiment's trainings and estimates in a store.
    pub fn keep_in(&self, store: &Arc<Store>) {
        self.script.host().estimates().keep_in(Arc::new(StoredEstimates(store.clone())));
        self.script.host().trainer().keep_in(Arc::new(StoredTrainings(store.clone())));
    }

    /// A point with some parts given as texts (`part=text`) and the others drawn by the seed.
    pub fn point(&self, at: &[String]) -> Result<Point, CliError> {
        let space = self.script.space();
        let mut rng = stream(self.settings.seed.unwrap_or(0), "estimate", 0);
        let mut point = space.draw(&mut rng).map_err(|error| CliError::usage(error.to_string()))?;
        for assignment in at {
            let (name, text) = assignment.split_once('=').ok_or_else(|| {
                CliError::usage(format!("`--at {assignment}` is not of the form part=text"))
            })?;
            let part = space.part(name).map_err(|error| CliError::usage(error.to_string()))?;
            let options = space.parts()[part]
                .domain
                .parse(text)
                .map_err(|illegal| CliError::usage(format!("part `{name}`: {illegal}")))?;
            point = space.with(&point, part, &options);
        }
        Ok(point)
    }

    /// An error of a function of the script, with its source line where one is behind it.
    pub fn failure(&self, failure: &Failure) -> CliError {
        match self.script.diagnostic(&failure.0) {
            Some(diagnostic) => CliError::Call {
                head: None,
                diagnostic: Box::new(diagnostic),
                sources: self.script.texts().clone(),
            },
            None => CliError::Experiment { rendered: format!("error: {failure}") },
        }
    }

    /// Points evaluated at once.
    pub fn threads(&self) -> usize {
        self.settings.threads()
    }

    /// The values of the script's arguments.
    pub fn args(&self) -> BTreeMap<String, String> {
        self.script.args()
    }
}

/// The settings of an experiment's file, before any override.
pub fn read_settings(file: &Path) -> Result<Settings, CliError> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("rhai") => Ok(Settings { script: Some(file.to_path_buf()), ..Settings::default() }),
        Some("yaml" | "yml") => Settings::load(file).map_err(|error| match error {
            SettingsError::Read { path, source } => ScriptError::Read { path, source }.into(),
            other => ScriptError::from(other).into(),
        }),
        _ => Err(CliError::Usage {
            message: format!("{} is not an experiment", file.display()),
            hint: Some(
                "an experiment is a .rhai script, or a .yaml file that names one".to_owned(),
            ),
        }),
    }
}

/// Whether a table of trials of some runs labels accuracies as predicted: for people in the head of
/// the column, for other programs, whose columns keep their names, in a note.
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

/// Where what takes long to compute is kept between runs: `TANDEM_CACHE`, else `tandem` in the
/// user's cache folder.
pub fn cache_dir() -> Option<PathBuf> {
    let set = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("TANDEM_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|folder| folder.join("tandem")))
        .or_else(|| env::home_dir().map(|home| home.join(".cache/tandem")))
}

/// Sends the program's log to standard error; `TANDEM_LOG` says how much of it.
pub fn log() {
    let filter = EnvFilter::try_from_env("TANDEM_LOG")
        .unwrap_or_else(|_| EnvFilter::new("warn,sled=off,script=info"));
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(Voice::get().colours())
        .without_time()
        .try_init();
}
