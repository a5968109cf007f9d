//! The places at which settings are written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::SettingsError;
use crate::script::diagnostic::{Diagnostic, Place};
use crate::script::sources::Sources;
use crate::script::yaml::{PathTarget, place};

/// The places at which settings are written, for messages; all values of this type are equal.
#[derive(Clone, Debug, Default)]
pub struct Written {
    file: Option<Yaml>,
    /// The settings from other sources, by their keys.
    elsewhere: BTreeMap<Vec<String>, SettingOrigin>,
}

/// A YAML file.
#[derive(Clone, Debug)]
pub(super) struct Yaml {
    label: Arc<str>,
    text: Arc<str>,
}

/// A source of a setting other than the settings file.
#[derive(Clone, Debug)]
pub(super) enum SettingOrigin {
    /// The command line, by the full name of the setting.
    Named,
    /// The command line, by the plain name of an argument.
    Plain,
    /// A study's file, with the keys that lead to the setting.
    Study(Yaml, Vec<String>),
}

impl PartialEq for Written {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Yaml {
    pub(super) fn new(file: &Path, text: &str) -> Self {
        Self { label: file.display().to_string().into(), text: text.into() }
    }
}

impl Written {
    /// Places all settings in one file.
    pub(super) fn of(file: Yaml) -> Self {
        Self { file: Some(file), elsewhere: BTreeMap::new() }
    }

    /// Records that a setting comes from another source.
    pub(super) fn note(&mut self, keys: &[&str], origin: SettingOrigin) {
        self.elsewhere.insert(owned(keys), origin);
    }

    /// Returns true if the command line gives an argument by its plain name, without `args.`.
    pub(super) fn is_plain(&self, argument: &str) -> bool {
        matches!(self.elsewhere.get(&owned(&["args", argument])), Some(SettingOrigin::Plain))
    }

    /// Returns an error about a setting, placed in the file in which it is written, if any.
    pub(super) fn refuse(
        &self,
        keys: &[&str],
        part: PathTarget,
        diagnostic: Diagnostic,
    ) -> SettingsError {
        match self.place(keys, part) {
            Some((place, sources)) => {
                let diagnostic = Box::new(diagnostic.in_place(Some(place)));
                SettingsError::Wrong { diagnostic, sources }
            }
            None => SettingsError::wrong(diagnostic),
        }
    }

    /// Returns the place of a setting, if it is written in a file.
    pub(super) fn place(&self, keys: &[&str], part: PathTarget) -> Option<(Place, Sources)> {
        let (Yaml { label, text }, keys) = match self.elsewhere.get(&owned(keys)) {
            None => (self.file.as_ref()?, owned(keys)),
            Some(SettingOrigin::Study(file, keys)) => (file, keys.clone()),
            Some(SettingOrigin::Named | SettingOrigin::Plain) => return None,
        };
        let place = place(label, text, &keys, part)?;
        Some((place, Sources::of(label, text)))
    }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}
