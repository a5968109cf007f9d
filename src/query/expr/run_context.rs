//! What expressions see of a run beside its trials.

use std::path::Path;
use std::sync::Arc;

use rhai::serde::to_dynamic;
use rhai::{Dynamic, ImmutableString, Map};
use rustc_hash::FxHashSet;

use super::stored_script::stored_arguments;
use crate::store::{Reader, RunRecord, StoreError};

/// What expressions see of a run beside its trials.
#[derive(Clone)]
pub struct Facts {
    /// The run.
    pub record: Arc<RunRecord>,
    /// The steps of its frontier, where that is asked for.
    pub frontier: Option<Arc<FxHashSet<u64>>>,
    pub(super) name: ImmutableString,
    pub(super) phases: Vec<ImmutableString>,
    pub(super) args: Dynamic,
}

impl Facts {
    /// The facts of a run; its frontier and arguments are not among them yet.
    pub fn new(record: RunRecord) -> Self {
        let phases = record.phases.iter().map(|phase| phase.name.as_str().into()).collect();
        let name = record.name.as_str().into();
        let args = Dynamic::from_map(given_arguments(&record));
        Self { record: Arc::new(record), frontier: None, name, phases, args }
    }

    /// Adds the values of the arguments that the run was not given, from its stored script. A script
    /// that this program cannot load has none.
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
