//! Controllers: what proposes the next point of a space and learns from its reward.
//!
//! All of them are used through [`Controller`] (ask, tell, save, restore) and are made from a
//! [`ControllerSpec`]: [`Random`] draws uniformly, [`Reinforce`] trains a recurrent policy,
//! [`Evolution`], [`Local`] and [`Nsga2`] change what was good, [`Guided`] asks models of the trials so far.

mod batched;
mod controller;
mod dominance;
mod evolution;
mod guided;
mod local;
mod neighbours;
mod nsga2;
mod random;
mod reinforce;
mod spec;
mod state;

pub use controller::{Controller, Identity, Legality, SearchError, Searched, Settle, Told};
pub use evolution::Evolution;
pub use guided::Guided;
pub use local::Local;
pub use nsga2::Nsga2;
pub use random::Random;
pub use reinforce::{Reinforce, ReinforceSettings};
pub use spec::ControllerSpec;
