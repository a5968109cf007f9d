//! The settings of an experiment: YAML beside the script, and overrides from the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::diagnostic::Diagnostic;
use super::limits::Limits;
use super::reading::read_text;
use super::sources::Sources;

/// Threads at most.
const MOST_THREADS: usize = 1_024;

/// Best pairs of an objective at most that a sweep keeps.
pub(super) const MOST_TOP: usize = 100_000;

/// What a settings file may say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The script, relative to the settings file.
    pub script: Option<PathBuf>,
    /// The run's seed; 0 if it is not given.
    pub seed: Option<u64>,
    /// The most trials of the whole run.
    pub steps: Option<u64>,
    /// Points evaluated at once; the number of processors if it is not given.
    pub threads: Option<usize>,
    /// How many of the best pairs for each objective a sweep keeps.
    pub top: Option<usize>,
    /// The folder of benchmark tables and image sets, relative to the settings file.
    pub data: Option<PathBuf>,
    /// What must hold when a run ends, beside what the script's `thresholds()` says.
    ///
    /// Only a settings file has it: on the command line the name is an argument's, as scripts have
    /// thresholds of their own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<String>,
    /// Values for the arguments that the script's `args()` declares.
    pub args: BTreeMap<String, Value>,
    /// What the script may use up.
    pub limits: Limits,
}

/// Settings that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{diagnostic}")]
    Wrong {
        /// What is wrong and where.
        diagnostic: Box<Diagnostic>,
        /// The text of the file.
        sources: Sources,
    },
    /// A settings file that names no script.
    #[error("{path} names no script; add a line such as `script: experiment.rhai`")]
    NoScript {
        /// The file.
        path: PathBuf,
    },
    /// An override that is not `key=value`.
    #[error("`--set {0}` is not of the form key=value")]
    Form(String),
    /// An override of a setting there is not.
    #[error(
        "there is no setting `{key}`; there are seed, steps, threads, top, data, limits.<name> and \
         the script's arguments"
    )]
    Unknown {
        /// The key.
        key: String,
    },
    /// A setting with a value that makes no sense.
    #[error("setting `{key}` is {value}; it must be {expected}")]
    Range {
        /// The setting.
        key: String,
        /// Its value.
        value: String,
        /// What it may be.
        expected: String,
    },
    /// An override with a value of the wrong kind.
    #[error("`--set {key}=...`: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

impl Settings {
    /// Points evaluated at once, and threads of a training: what is set, else all processors.
    pub fn threads(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(available).max(1)
    }

    /// The names of the settings, which no argument of a script may have.
    pub(super) const NAMES: [&str; 8] =
        ["script", "seed", "steps", "threads", "top", "data", "args", "limits"];

    /// Reads a settings file; paths in it are taken relative to it.
    ///
    /// # Errors
    /// The file cannot be read, is not YAML, has a key or a value that does not belong, or names
    /// no script.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = read_text(path)
            .map_err(|source| SettingsError::Read { path: path.to_path_buf(), source })?;
        Self::of_text(path, &text)
    }

    /// As [`Self::load`], with the text that would be in the file.
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn of_text(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let mut settings: Self = serde_yaml::from_str(text).map_err(|error| {
            let label = path.display().to_string();
            let diagnostic = Box::new(Diagnostic::of_yaml(&label, text, &error));
            SettingsError::Wrong { diagnostic, sources: Sources::of(&label, text) }
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        for file in [&mut settings.script, &mut settings.data].into_iter().flatten() {
            *file = folder.join(&*file);
        }
        if settings.script.is_none() {
            return Err(SettingsError::NoScript { path: path.to_path_buf() });
        }
        Ok(settings)
    }

    /// Checks every setting against its range.
    ///
    /// # Errors
    /// The first that makes no sense.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let refuse = |key: &str, value: String, expected: &str| {
            let (key, expected) = (key.to_owned(), expected.to_owned());
            Err(SettingsError::Range { key, value, expected })
        };
        for (key, value) in [("steps", self.steps), ("threads", self.threads.map(|n| n as u64))] {
            if value == Some(0) {
                return refuse(key, "0".to_owned(), "at least 1");
            }
        }
        for (key, value, most, expected) in [
            ("threads", self.threads, MOST_THREADS, "at most 1024"),
            ("top", self.top, MOST_TOP, "at most 100000"),
        ] {
            if let Some(value) = value.filter(|&value| value > most) {
                return refuse(key, value.to_string(), expected);
            }
        }
        for (name, count, most) in self.limits.counts() {
            if count == 0 || count > most {
                let expected =
                    if count == 0 { "at least 1".to_owned() } else { format!("at most {most}") };
                return refuse(&format!("limits.{name}"), count.to_string(), &expected);
            }
        }
        let seconds = self.limits.seconds;
        if !(seconds.is_finite() && seconds >= 0.0) {
            let expected = "a number of seconds, or 0 for no limit";
            return refuse("limits.seconds", seconds.to_string(), expected);
        }
        Ok(())
    }

    /// With some `key=value` applied, as [`Self::set`] does, and checked.
    ///
    /// # Errors
    /// The first that cannot be, or makes no sense.
    pub fn with(mut self, assignments: &[String]) -> Result<Self, SettingsError> {
        assignments.iter().try_for_each(|assignment| self.set(assignment))?;
        self.validate()?;
        Ok(self)
    }

    /// Applies `key=value`: a setting, or an argument of the script.
    ///
    /// # Errors
    /// No `=`, an unknown limit, or a value of the wrong kind. Whether the script has an argument
    /// is checked when the script is loaded.
    pub fn set(&mut self, assignment: &str) -> Result<(), SettingsError> {
        let (key, text) =
            assignment.split_once('=').ok_or_else(|| SettingsError::Form(assignment.to_owned()))?;
        let wrong = |reason: String| SettingsError::Value { key: key.to_owned(), reason };
        let value: Value = serde_yaml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<T, String> {
            serde_yaml::from_value(value).map_err(|error| error.to_string())
        }
        match key {
            "seed" => self.seed = Some(read(value).map_err(wrong)?),
            "steps" => self.steps = Some(read(value).map_err(wrong)?),
            "threads" => self.threads = Some(read(value).map_err(wrong)?),
            "top" => self.top = Some(read(value).map_err(wrong)?),
            "data" => self.data = Some(read(value).map_err(wrong)?),
            "script" => return Err(SettingsError::Unknown { key: key.to_owned() }),
            _ => match key.split_once('.') {
                Some(("limits", name)) => {
                    let mut limits: BTreeMap<String, Value> =
                        read(serde_yaml::to_value(self.limits).map_err(|e| wrong(e.to_string()))?)
                            .map_err(wrong)?;
                    if limits.insert(name.to_owned(), value).is_none() {
                        return Err(SettingsError::Unknown { key: key.to_owned() });
                    }
                    let limits =
                        serde_yaml::to_value(limits).map_err(|error| wrong(error.to_string()))?;
                    self.limits = read(limits).map_err(wrong)?;
                }
                Some(("args", name)) => {
                    self.args.insert(name.to_owned(), value);
                }
                _ => {
                    self.args.insert(key.to_owned(), value);
                }
            },
        }
        Ok(())
    }
}
