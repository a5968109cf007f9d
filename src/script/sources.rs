//! The script texts that an experiment is made of.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What the label of a module begins with that would be that of the script.
pub(super) const OTHER: &str = "./";

/// Every loaded script text under the label that messages name it by.
#[derive(Clone, Debug, Default)]
pub struct Sources(Arc<Mutex<BTreeMap<String, Arc<str>>>>);

impl Sources {
    /// One text.
    pub fn of(label: &str, text: &str) -> Self {
        let sources = Self::default();
        sources.put(label, text);
        sources
    }

    /// Keeps a text.
    pub(crate) fn put(&self, label: &str, text: &str) {
        self.lock().insert(label.to_owned(), text.into());
    }

    /// Whether there is room for the text of a label, of so many beside the script itself.
    pub(super) fn may_put(&self, label: &str, most: usize) -> bool {
        let all = self.lock();
        all.contains_key(label) || all.len() <= most
    }

    /// The text of a label.
    pub fn get(&self, label: &str) -> Option<Arc<str>> {
        self.lock().get(label).cloned()
    }

    /// The text that an import names, with its label, once it is loaded.
    pub(super) fn imported(&self, path: &str) -> Option<(String, Arc<str>)> {
        let own = if path.ends_with(".rhai") { path.to_owned() } else { format!("{path}.rhai") };
        [format!("{OTHER}{own}"), own.clone(), format!("scripts/{own}")]
            .into_iter()
            .find_map(|label| self.get(&label).map(|text| (label, text)))
    }

    /// All texts, by label.
    pub fn all(&self) -> BTreeMap<String, Arc<str>> {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
