//! Settings from other sources than the settings file: the command line, and studies.

use std::collections::BTreeMap;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_yaml::Value;

use super::locate::Yaml;
use super::{SettingOrigin, Settings, SettingsError};
use crate::script::diagnostic::Diagnostic;
use crate::script::yaml::reason;
use crate::util::suggest::nearest;

/// The settings of the command line, for messages.
const KNOWN: &str =
    "there are seed, steps, threads, top, data, limits.<name> and the script's arguments";

impl Settings {
    /// Applies assignments `key=value` with [`Self::set`], then checks all settings.
    ///
    /// # Errors
    /// The first assignment that cannot be applied, or the first setting out of range.
    pub fn with(mut self, assignments: &[String]) -> Result<Self, SettingsError> {
        assignments.iter().try_for_each(|assignment| self.set(assignment))?;
        self.validate()?;
        Ok(self)
    }

    /// Applies `key=value`: a setting, or an argument of the script.
    ///
    /// # Errors
    /// No `=`, an unknown limit, or a value of a wrong type. An unknown argument is an error only when the
    /// script is loaded.
    pub fn set(&mut self, assignment: &str) -> Result<(), SettingsError> {
        let (key, text) =
            assignment.split_once('=').ok_or_else(|| SettingsError::Form(assignment.to_owned()))?;
        match key {
            "seed" => self.seed = Some(read(key, text)?),
            "steps" => self.steps = Some(read(key, text)?),
            "threads" => self.threads = Some(read(key, text)?),
            "top" => self.top = Some(read(key, text)?),
            "data" => self.data = Some(read(key, text)?),
            "script" | "args" | "limits" => {
                return Err(SettingsError::wrong(
                    Diagnostic::new(format!("`--set` has no setting `{key}`")).with_help(KNOWN),
                ));
            }
            _ => return self.set_named(key, text),
        }
        self.written.note(&[key], SettingOrigin::Named);
        Ok(())
    }

    /// Sets a limit or an argument of the script.
    fn set_named(&mut self, key: &str, text: &str) -> Result<(), SettingsError> {
        let (name, origin) = match key.split_once('.') {
            Some(("limits", name)) => return self.set_limit(name, text),
            Some(("args", name)) => (name, SettingOrigin::Named),
            _ => (key, SettingOrigin::Plain),
        };
        self.args.insert(name.to_owned(), read(key, text)?);
        self.written.note(&["args", name], origin);
        Ok(())
    }

    fn set_limit(&mut self, name: &str, text: &str) -> Result<(), SettingsError> {
        let key = format!("limits.{name}");
        let failed = |error: serde_yaml::Error| SettingsError::Value {
            key: key.clone(),
            reason: error.to_string(),
        };
        let mut limits = serde_yaml::to_value(self.limits).map_err(failed)?;
        let Some(limit) = limits.get_mut(name) else { return Err(self.unknown_limit(name)) };
        *limit = match limit.is_f64() {
            true => read::<f64>(&key, text)?.into(),
            false => read::<u64>(&key, text)?.into(),
        };
        self.limits = serde_yaml::from_value(limits).map_err(failed)?;
        self.written.note(&["limits", name], SettingOrigin::Named);
        Ok(())
    }

    fn unknown_limit(&self, name: &str) -> SettingsError {
        let counts = self.limits.counts();
        let known: Vec<&str> = counts.iter().map(|(name, ..)| *name).chain(["seconds"]).collect();
        let help = match nearest(name, known.iter().copied()).first() {
            Some(near) => format!("is `limits.{near}` meant?"),
            None => format!("the limits are {}", known.join(", ")),
        };
        let message = format!("there is no setting `limits.{name}`");
        SettingsError::wrong(Diagnostic::new(message).with_help(help))
    }

    /// Sets arguments that a study's file has below some keys.
    pub fn take_arguments(
        &mut self,
        (file, text): (&Path, &str),
        keys: &[&str],
        arguments: &BTreeMap<String, Value>,
    ) {
        let file = Yaml::new(file, text);
        for (name, value) in arguments {
            let at = keys.iter().copied().chain([name.as_str()]).map(str::to_owned).collect();
            self.written.note(&["args", name], SettingOrigin::Study(file.clone(), at));
            self.args.insert(name.clone(), value.clone());
        }
    }
}

/// Parses the value of a setting.
fn read<T: DeserializeOwned>(key: &str, text: &str) -> Result<T, SettingsError> {
    crate::util::yaml::read(text).map_err(|error| SettingsError::Value {
        key: key.to_owned(),
        reason: reason(key, text, &error),
    })
}
