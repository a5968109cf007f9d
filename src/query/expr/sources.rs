//! The script texts of a stored run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::store::{Reader, RunRecord, StoreError};

/// Texts of scripts by their labels.
pub(super) type Texts = BTreeMap<String, String>;

/// The script's file among the sources of a run, and the texts of all of them.
pub(super) fn sources_of(
    reader: &dyn Reader,
    record: &RunRecord,
) -> Result<Option<(String, Texts)>, StoreError> {
    let script = record.settings.get("script").and_then(|script| script.as_str());
    let path = PathBuf::from(script.unwrap_or(&record.file));
    let main = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let mut texts = BTreeMap::new();
    for (name, digest) in &record.sources {
        if let Some(text) = reader.source(digest)? {
            texts.insert(name.clone(), text);
        }
    }
    Ok(main.filter(|main| texts.contains_key(main)).map(|main| (main, texts)))
}
