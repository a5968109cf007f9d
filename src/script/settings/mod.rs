//! The settings of an experiment: YAML beside the script, and overrides from the command line.
//!
//! [`Settings`] are what is set, whatever sets it; [`Written`] knows where, for messages.

mod arguments;
mod error;
mod file;
mod locate;
mod overrides;
mod ranges;

pub use error::SettingsError;
pub use file::Settings;

pub(super) use arguments::{given_argument, refuse_foreign};
pub(super) use ranges::MAX_TOP;

use locate::{Origin, Written};
