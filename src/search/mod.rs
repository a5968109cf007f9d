//! Controllers, which propose the next point of a space and learn from its reward.
//!
//! All of them are used through [`Controller`] (ask, tell, save, restore) and built from a
//! [`ControllerSpec`]: [`Random`] draws uniformly, [`Reinforce`] trains a recurrent policy, [`Evolution`],
//! [`Local`] and [`Nsga2`] vary good points, [`Guided`] uses models of the trials so far.
//!
//! Each strategy is a file or a folder with its settings, declared once, its description for documents, and
//! the search. A strategy that works in batches is a [`Strategy`], from which [`Batched`] makes a controller.

mod about;
mod batched;
mod controller;
mod dominance;
pub mod evolution;
pub mod guided;
pub mod local;
mod neighbors;
pub mod nsga2;
pub mod random;
pub mod reinforce;
mod settings;
mod spec;
mod state;

pub use about::{About, ControllerSettings};
pub use batched::{Batched, EvaluatedPoint, Proposer, Seen, Strategy};
pub use controller::{
    Canonicalize, Controller, Feedback, Identity, Legality, SearchError, SearchSpace,
};
pub use evolution::Evolution;
pub use guided::Guided;
pub use local::Local;
pub use nsga2::Nsga2;
pub use random::Random;
pub use reinforce::{Reinforce, ReinforceSettings};
pub use settings::{Declared, Range, Setting, SettingValue};
pub use spec::ControllerSpec;
pub use state::StateFormat;
