//! Where settings are written.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::SettingsError;
use crate::script::diagnostic::{Diagnostic, Place};
use crate::script::sources::Sources;
use crate::script::yaml::{Part, place};

/// Where settings are written, which messages point at. It decides nothing: all are equal.
#[derive(Clone, Debug, Default)]
pub struct Written {
    file: Option<Yaml>,
    /// What is not written in the file, by its keys.
    elsewhere: BTreeMap<Vec<String>, Origin>,
}

/// A YAML file.
#[derive(Clone, Debug)]
pub(super) struct Yaml {
    label: Arc<str>,
    text: Arc<str>,
}

/// Where else a setting comes from.
#[derive(Clone, Debug)]
pub(super) enum Origin {
    /// The command line, by the setting's whole name.
    Named,
    /// The command line, by the plain name of an argument.
    Plain,
    /// A study's file, below some keys.
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
    /// All in one file.
    pub(super) fn of(file: Yaml) -> Self {
        Self { file: Some(file), elsewhere: BTreeMap::new() }
    }

    /// Notes that a setting comes from elsewhere.
    pub(super) fn note(&mut self, keys: &[&str], origin: Origin) {
        self.elsewhere.insert(owned(keys), origin);
    }

    /// Whether the command line gives an argument by its plain name, as it gives settings.
    pub(super) fn is_plain(&self, argument: &str) -> bool {
        matches!(self.elsewhere.get(&owned(&["args", argument])), Some(Origin::Plain))
    }

    /// An error about a setting, at its place in the file that it is written in.
    pub(super) fn refuse(
        &self,
        keys: &[&str],
        part: Part,
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

    /// Where a setting is written, if that is a file.
    pub(super) fn place(&self, keys: &[&str], part: Part) -> Option<(Place, Sources)> {
        let (Yaml { label, text }, keys) = match self.elsewhere.get(&owned(keys)) {
            None => (self.file.as_ref()?, owned(keys)),
            Some(Origin::Study(file, keys)) => (file, keys.clone()),
            Some(Origin::Named | Origin::Plain) => return None,
        };
        let place = place(label, text, &keys, part)?;
        Some((place, Sources::of(label, text)))
    }
}

fn owned(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|&key| key.to_owned()).collect()
}
