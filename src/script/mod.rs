//! The Rhai services: experiment scripts, their settings, and the native functions they call.
//!
//! A [`Script`] is loaded once and then queried as a [`crate::run::Experiment`]. Its engine reaches no file,
//! network, process or clock; imports are jailed, and every call is limited. An error of a script is a
//! [`Diagnostic`] with its place.

mod changes;
mod compiled;
mod contract;
mod diagnostic;
mod engine;
mod error;
mod experiment;
mod function_spans;
mod functions;
mod language;
mod loading;
mod metric_map;
mod modules;
mod native;
mod native_error;
mod options;
mod read_script;
mod reference;
mod resolver;
mod review;
mod sandbox;
mod services;
mod settings;
mod sources;
mod sweep;
mod table;
mod truncate;
mod yaml;

// For expressions over trials (`crate::query`), which are compiled as scripts are.
pub(crate) use compiled::Compiled;
pub(crate) use diagnostic::{Explainer, of_parse_error};
pub(crate) use engine::plain;
pub(crate) use read_script::read_text;
pub(crate) use resolver::Resolver;
pub(crate) use sandbox::budget::again;
pub(crate) use sandbox::depth::shallow;

pub use changes::ScriptChanges;
pub use diagnostic::{Diagnostic, Diagnostics, Place};
pub use error::ScriptError;
pub use experiment::Script;
pub use modules::TrainingPlan;
pub use sandbox::budget::keep_panics_of_calls;
pub use sandbox::limits::Limits;
pub use services::{Services, Source, Traced};

pub use reference::vocabulary::vocabulary;
pub use reference::{definitions, reference_page};
pub use settings::{Settings, SettingsError};
pub use sources::Sources;
pub use sweep::{Accuracies, ScriptPairs, SweepNetworks, SweepPairs, SweepPairsError, SweepPlan};
pub use table::SummaryTable;

#[cfg(test)]
mod tests;
