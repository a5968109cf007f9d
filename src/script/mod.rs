//! The Rhai host: experiment scripts, their settings, and the native functions they call.
//!
//! A [`Script`] is loaded once and then asked as a [`crate::run::Experiment`]. Its engine reaches
//! no file, network, process or clock; imports are jailed, and every call is limited. What goes
//! wrong in a script is a [`Diagnostic`] with its place.

mod again;
mod bodies;
mod brief;
mod call;
mod changes;
mod contract;
mod core;
mod diagnostic;
mod engine;
mod error;
mod experiment;
mod guards;
mod hidden;
mod host;
mod keys;
mod limits;
mod metrics;
mod modules;
mod native;
mod nesting;
mod options;
mod own;
mod query;
mod reached;
mod reading;
mod reference;
mod resolver;
mod review;
mod roles;
mod settings;
mod sources;
mod sweep;
mod table;
mod trace;
mod vocabulary;
mod yaml;

pub use call::keep_panics_of_calls;
pub use changes::ScriptChanges;
pub use diagnostic::{Diagnostic, Diagnostics, Place};
pub use error::ScriptError;
pub use experiment::Script;
pub use host::{Host, Source, Traced, Trust};
pub use limits::Limits;
pub use modules::TrainingPlan;
pub use query::{Asker, Bound, Expression, Facts, Known, QueryError};
pub use reference::{definitions, reference_page};
pub use settings::{Settings, SettingsError};
pub use sources::Sources;
pub use sweep::{Accuracies, ScriptPairs, SweepNetworks, SweepPairs, SweepPlan};
pub use table::SummaryTable;
pub use vocabulary::vocabulary;

#[cfg(test)]
mod tests;
