//! The texts of an experiment's scripts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The prefix of a module's label where it would otherwise equal the script's.
pub(super) const OTHER: &str = "./";

/// Every loaded script text, by the label that names it in messages.
#[derive(Clone, Debug, Default)]
pub struct Sources(Arc<Mutex<BTreeMap<String, Arc<str>>>>);

impl Sources {
    /// Creates sources with a single text.
    pub fn of(label: &str, text: &str) -> Self {
        let sources = Self::default();
        sources.put(label, text);
        sources
    }

    /// Stores a text under a label.
    pub(crate) fn put(&self, label: &str, text: &str) {
        self.lock().insert(label.to_owned(), text.into());
    }

    /// Returns true if the label is known, or if storing its text leaves at most `most` beside the script's.
    pub(super) fn may_put(&self, label: &str, most: usize) -> bool {
        let all = self.lock();
        all.contains_key(label) || all.len() <= most
    }

    /// Returns the text of a label.
    pub fn get(&self, label: &str) -> Option<Arc<str>> {
        self.lock().get(label).cloned()
    }

    /// Returns the text that an import names, with its label, if it is loaded.
    pub(super) fn imported(&self, path: &str) -> Option<(String, Arc<str>)> {
        let own = if path.ends_with(".rhai") { path.to_owned() } else { format!("{path}.rhai") };
        [format!("{OTHER}{own}"), own.clone(), format!("scripts/{own}")]
            .into_iter()
            .find_map(|label| self.get(&label).map(|text| (label, text)))
    }

    /// Returns all texts, by label.
    pub fn all(&self) -> BTreeMap<String, Arc<str>> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
