//! The script of a run as it was when the run started.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rhai::Dynamic;

use super::sources::sources_of;
use crate::script::{Compiled, Resolver, ScriptError, Services, Settings, Sources};
use crate::store::{Reader, RunRecord, StoreError};

type Loaded = Result<(Compiled, BTreeMap<String, Dynamic>), ScriptError>;

/// Loads the script of a run from its stored texts and settings; `None` if these are lost. `set` changes the
/// settings.
pub(super) fn load_stored(
    reader: &dyn Reader,
    record: &RunRecord,
    data: PathBuf,
    set: &[String],
) -> Result<Option<Loaded>, StoreError> {
    let Some((main, texts)) = sources_of(reader, record)? else { return Ok(None) };
    let Ok(settings) = serde_json::from_value::<Settings>(record.settings.clone()) else {
        return Ok(None);
    };
    let settings = match settings.with(set) {
        Ok(settings) => settings,
        Err(error) => return Ok(Some(Err(error.into()))),
    };
    let text = texts[&main].clone();
    let sources = Sources::default();
    let resolver = Resolver::of_stored(texts, sources.clone());
    let services = Arc::new(Services::new(data, settings.threads()));
    Ok(Some(Compiled::load((&main, &text), (resolver, sources), &settings, services)))
}

/// The values of all arguments of a run's script; `None` if it cannot be loaded.
pub(super) fn stored_arguments(
    reader: &dyn Reader,
    record: &RunRecord,
    data: PathBuf,
) -> Result<Option<BTreeMap<String, Dynamic>>, StoreError> {
    let loaded = load_stored(reader, record, data, &[])?;
    Ok(loaded.and_then(Result::ok).map(|(_, args)| args))
}
