//! Controllers: what proposes the next point of a space and learns from its reward.
//!
//! All of them are used through [`Controller`] (ask, tell, save, restore) and are made from a
//! [`ControllerSpec`]: [`Random`] draws uniformly, [`Reinforce`] trains a recurrent policy,
//! [`Evolution`], [`Local`] and [`Nsga2`] change what was good, [`Guided`] asks models of the trials so far.
//!
//! Each strategy is a file or a folder: its settings, declared once, the words in which documents present it,
//! and the search. One that works batch by batch is a [`Strategy`]; [`Batched`] makes a controller of it.

mod about;
mod batched;
mod controller;
mod dominance;
pub mod evolution;
pub mod guided;
pub mod local;
mod neighbours;
pub mod nsga2;
pub mod random;
pub mod reinforce;
mod settings;
mod spec;
mod state;

pub use about::{About, ControllerSettings};
pub use batched::{Batched, Judged, Proposer, Seen, Strategy};
pub use controller::{
    Canonicalize, Controller, Feedback, Identity, Legality, SearchError, SearchSpace,
};
pub use evolution::Evolution;
pub use guided::Guided;
pub use local::Local;
pub use nsga2::Nsga2;
pub use random::Random;
pub use reinforce::{Reinforce, ReinforceSettings};
pub use settings::{Declared, Range, Setting, Value};
pub use spec::ControllerSpec;
pub use state::Format;
