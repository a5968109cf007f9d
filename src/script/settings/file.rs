//! A settings file.

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
    #[serde(deserialize_with = "yaml::each_once")]
    pub args: BTreeMap<String, Value>,
    /// What the script may use up.
    pub limits: Limits,
    /// Where all of it is written.
    #[serde(skip)]
    pub written: Written,
}

impl Settings {
    /// Points evaluated at once, and threads of a training: what is set, else all processors.
    pub fn threads(&self) -> usize {
        let available = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(available).max(1)
    }

    /// The names of the settings, which no argument of a script may have.
    pub(in crate::script) const NAMES: [&str; 8] =
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

/// What to do where a settings file has an argument of its script among the settings.
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
