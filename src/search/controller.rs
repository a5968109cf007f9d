//! The one interface of everything that proposes points.

use std::fmt;
use std::sync::Arc;

/// Says whether a combination of options is legal.
pub type Legality = Arc<dyn Fn(&[u16]) -> bool + Send + Sync>;

/// What a controller searches: how many options each choice has, and which combinations are legal.
#[derive(Clone)]
pub struct Searched {
    /// The number of options of each choice, in decision order; none is zero.
    pub sizes: Vec<usize>,
    /// Whether a full combination is legal.
    pub legal: Legality,
}

impl fmt::Debug for Searched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Searched").field("sizes", &self.sizes).finish_non_exhaustive()
    }
}

/// What goes wrong in a controller.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// No legal combination was met in a bounded number of draws.
    #[error("no legal point among {0} draws")]
    NoLegalPoint(usize),
    /// A setting has a value that makes no sense.
    #[error("`{name}` is {value}: {expected}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value it was given.
        value: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A saved state does not fit the controller.
    #[error("the saved state of the controller does not fit: {0}")]
    State(String),
    /// The tensor library failed.
    #[error("the policy's arithmetic failed")]
    Tensor(#[from] candle_core::Error),
}

/// A search strategy that is asked for combinations of options and told their rewards.
///
/// The sequence of answers depends on nothing but the settings, the seed and the rewards told: not
/// on threads, not on the clock, and not on whether the state was saved and restored on the way.
pub trait Controller: Send {
    /// How many combinations may be asked for before the first of them is told.
    fn batch(&self) -> usize;

    /// Proposes the next legal combination: an option index for each choice.
    fn ask(&mut self) -> Result<Vec<u16>, SearchError>;

    /// Tells the reward of the oldest combination that is not yet told; `None` if it failed.
    ///
    /// A reward is finite.
    fn tell(&mut self, reward: Option<f64>) -> Result<(), SearchError>;

    /// The whole state: a controller made with the same settings and restored from it goes on
    /// exactly as this one would.
    fn save(&self) -> Result<Vec<u8>, SearchError>;

    /// Takes over a state that `save` gave.
    fn restore(&mut self, state: &[u8]) -> Result<(), SearchError>;
}
