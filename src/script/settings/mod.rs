//! The settings of an experiment: YAML beside the script, and overrides from the command line.
//!
//! [`Settings`] has the values from all sources; [`Written`] knows their places, for messages.

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

use locate::{SettingOrigin, Written};
