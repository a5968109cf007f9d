//! Settings files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_yaml::Value;

use super::locate::Yaml;
use super::{SettingsError, Written};
use crate::script::diagnostic::{Diagnostic, Outline};
use crate::script::read_script::read_text;
use crate::script::sandbox::limits::Limits;
use crate::script::sources::Sources;
use crate::util::yaml;

/// The settings of an experiment, by the keys of a settings file.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The script, relative to the settings file.
    pub script: Option<PathBuf>,
    /// The seed of the run; 0 by default.
    pub seed: Option<u64>,
    /// The most trials of the whole run.
    pub steps: Option<u64>,
    /// The number of points evaluated at once; the number of processors by default.
    pub threads: Option<usize>,
    /// The number of best pairs that a sweep keeps for each objective.
    pub top: Option<usize>,
    /// The folder of benchmark tables and image sets, relative to the settings file.
    pub data: Option<PathBuf>,
    /// The thresholds at the end of a run, beside those of the script's `thresholds()`.
    ///
    /// Only a settings file sets them: on the command line, `thresholds` is the name of an argument.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub thresholds: Vec<String>,
    /// Values for the arguments that the script's `args()` declares.
    #[serde(deserialize_with = "yaml::each_once")]
    pub args: BTreeMap<String, Value>,
    /// The resource limits of the script.
    pub limits: Limits,
    /// The places at which the settings are written.
    #[serde(skip)]
    pub written: Written,
}

impl Settings {
    /// Returns the points evaluated at once, and the threads of a training; by default all processors.
    pub fn threads(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(available).max(1)
    }

    /// The names of the settings, which no argument of a script may have.
    pub(in crate::script) const NAMES: [&str; 8] =
        ["script", "seed", "steps", "threads", "top", "data", "args", "limits"];

    /// Reads a settings file; its paths are relative to its folder.
    ///
    /// # Errors
    /// The file cannot be read, is not YAML, has an unknown key or a wrong value, or names no script.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let text = read_text(path)
            .map_err(|source| SettingsError::Read { path: path.to_path_buf(), source })?;
        Self::of_text(path, &text)
    }

    /// Reads settings from a text as if it were the content of `path`; see [`Self::load`].
    ///
    /// # Errors
    /// As for [`Self::load`].
    pub fn of_text(path: &Path, text: &str) -> Result<Self, SettingsError> {
        let label = path.display().to_string();
        let mut settings: Self = yaml::read(text).map_err(|error| {
            let mut diagnostic = Diagnostic::of_yaml(&label, text, &error);
            if let Some(help) = belongs_under_args(path, text, &error) {
                diagnostic = diagnostic.with_help(help);
            }
            let diagnostic = Box::new(diagnostic);
            SettingsError::Wrong { diagnostic, sources: Sources::of(&label, text) }
        })?;
        if settings.script.as_ref().is_none_or(|script| script.as_os_str().is_empty()) {
            return Err(SettingsError::NoScript { path: path.to_path_buf() });
        }
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        for file in [&mut settings.script, &mut settings.data].into_iter().flatten() {
            *file = folder.join(&*file);
        }
        settings.written = Written::of(Yaml::new(path, text));
        Ok(settings)
    }
}

/// Returns the help for an error about a setting that is an argument of the script; `None` for other errors.
fn belongs_under_args(path: &Path, text: &str, error: &serde_yaml::Error) -> Option<String> {
    let said = error.to_string();
    let (name, _) = said.strip_prefix("unknown field `")?.split_once('`')?;
    let settings: Value = serde_yaml::from_str(text).ok()?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let script = read_text(&folder.join(settings.get("script")?.as_str()?)).ok()?;
    let outline = Outline::of(&script);
    let args = outline.functions.iter().find(|function| function.name == "args")?;
    outline.mention(args, name)?;
    Some(format!("`{name}` is an argument of the script: write it under `args:`"))
}
