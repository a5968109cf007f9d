//! The description of a controller for documents, and the interface that builds the controller.

use std::fmt;

use super::controller::{Controller, SearchError, SearchSpace};
use super::settings::Declared;

/// The description of a controller for scripts and documents.
#[derive(Debug)]
pub struct About {
    /// The name in scripts, JSON and reports.
    pub name: &'static str,
    /// The method in a few words: "Regularised evolution".
    pub title: &'static str,
    /// The documentation of the script's function: the method and its objective.
    pub doc: &'static str,
    /// A statement of a script with the default settings.
    pub example: &'static str,
    /// A statement of a script with other settings; empty if there are none.
    pub settings_example: &'static str,
}

/// The settings of a controller, which build it.
pub trait ControllerSettings: Declared + fmt::Debug {
    /// The description of the controller for documents.
    fn about(&self) -> &'static About;

    /// Builds the controller; the settings must be in range.
    ///
    /// # Errors
    /// [`SearchError::Setting`] for a search without choices, or one that is too large for the settings.
    fn build(
        &self,
        space: SearchSpace,
        seed: u64,
        stream_name: &str,
    ) -> Result<Box<dyn Controller>, SearchError>;
}
