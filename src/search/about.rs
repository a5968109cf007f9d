//! The words in which documents present a controller, and the interface by which it is built.

use std::fmt;

use super::controller::{Controller, SearchError, SearchSpace};
use super::settings::Declared;

/// A controller as scripts and documents present it.
#[derive(Debug)]
pub struct About {
    /// The name in scripts, JSON and reports.
    pub name: &'static str,
    /// The method in a few words: "Regularised evolution".
    pub title: &'static str,
    /// The documentation of the script's function: what it does and what it follows.
    pub doc: &'static str,
    /// A statement of a script with the defaults.
    pub example: &'static str,
    /// A statement of a script with other settings; empty without settings.
    pub settings_example: &'static str,
}

/// The settings of a controller, from which it is built.
pub trait ControllerSettings: Declared + fmt::Debug {
    /// The words in which documents present the controller.
    fn about(&self) -> &'static About;

    /// Builds the controller of settings that are in range.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for a search without choices, or with more of them than the settings allow.
    fn build(
        &self,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Box<dyn Controller>, SearchError>;
}
