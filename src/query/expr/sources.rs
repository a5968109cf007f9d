//! The script texts of a stored run.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::store::{Reader, RunRecord, StoreError};

/// Script texts by label.
pub(super) type Texts = BTreeMap<String, String>;

/// The label of a run's main script and the texts of all its sources; `None` if the store lacks the main
/// text.
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
