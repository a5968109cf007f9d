//! The facts of a run that expressions may refer to, beside its trials.

use std::path::Path;
use std::sync::Arc;

use rhai::serde::to_dynamic;
use rhai::{Dynamic, ImmutableString, Map};
use rustc_hash::FxHashSet;

use super::stored_script::stored_arguments;
use crate::store::{Reader, RunRecord, StoreError};

/// The facts of a run that expressions may refer to, beside its trials.
#[derive(Clone)]
pub struct RunContext {
    /// The run's record.
    pub record: Arc<RunRecord>,
    /// The steps of its frontier, if it was computed.
    pub frontier: Option<Arc<FxHashSet<u64>>>,
    pub(super) name: ImmutableString,
    pub(super) phases: Vec<ImmutableString>,
    pub(super) args: Dynamic,
}

impl RunContext {
    /// Creates the facts of a run, without its frontier and with only the arguments that it was given.
    pub fn new(record: RunRecord) -> Self {
        let phases = record.phases.iter().map(|phase| phase.name.as_str().into()).collect();
        let name = record.name.as_str().into();
        let args = Dynamic::from_map(given_arguments(&record));
        Self { record: Arc::new(record), frontier: None, name, phases, args }
    }

    /// Adds the defaults of the arguments that the run was not given, from its stored script. If this program
    /// cannot load the script, nothing is added.
    ///
    /// # Errors
    /// The store fails.
    pub fn with_defaults(mut self, reader: &dyn Reader, data: &Path) -> Result<Self, StoreError> {
        if let Some(args) = stored_arguments(reader, &self.record, data.to_path_buf())? {
            let mut all: Map = args.into_iter().map(|(name, value)| (name.into(), value)).collect();
            all.extend(given_arguments(&self.record));
            self.args = Dynamic::from_map(all);
        }
        Ok(self)
    }

    /// The names of the run's arguments.
    pub(super) fn arguments(&self) -> Vec<String> {
        let map = self.args.read_lock::<Map>();
        map.map_or_else(Vec::new, |map| map.keys().map(ToString::to_string).collect())
    }

    /// The name of a phase.
    pub(super) fn phase(&self, number: u32) -> ImmutableString {
        self.phases.get(number as usize).cloned().unwrap_or_default()
    }

    /// The run's settings as a map.
    pub(super) fn settings(&self) -> Dynamic {
        to_dynamic(&self.record.settings).unwrap_or(Dynamic::UNIT)
    }
}

fn given_arguments(record: &RunRecord) -> Map {
    let args = record.settings.get("args").and_then(|args| args.as_object());
    let value = |value| to_dynamic(value).unwrap_or(Dynamic::UNIT);
    args.into_iter().flatten().map(|(name, given)| (name.as_str().into(), value(given))).collect()
}
