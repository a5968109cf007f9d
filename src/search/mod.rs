//! Controllers: what proposes the next point of a space and learns from its reward.
//!
//! All of them are used through [`Controller`] (ask, tell, save, restore) and are made from a
//! [`ControllerSpec`]: [`Random`] draws uniformly, [`Reinforce`] trains a recurrent policy.

mod controller;
mod factory;
mod random;
mod reinforce;
mod state;

pub use controller::{Controller, Legality, SearchError, Searched};
pub use factory::ControllerSpec;
pub use random::Random;
pub use reinforce::{Reinforce, ReinforceSettings};
