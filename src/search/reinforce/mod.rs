//! REINFORCE over a recurrent policy, the controller of Codesign-NAS.
//!
//! One LSTM cell makes the choices one after the other: each step reads the previous choice, and a softmax
//! head gives the probabilities of the options (B. Zoph, Q. V. Le, "Neural Architecture Search with
//! Reinforcement Learning", ICLR 2017). The weights follow the policy gradient (R. J. Williams, "Simple
//! statistical gradient-following algorithms for connectionist reinforcement learning", 1992) with a
//! moving-average baseline and an entropy bonus.
//!
//! - `settings`: the settings and their ranges;
//! - `cell`: the LSTM over a sequence, forward and backward;
//! - `policy`: the weights, sampling, and the loss;
//! - `advantage`: the conversion of rewards of any scale to advantages;
//! - `optimizer`: Adam with a state that can be saved;
//! - `controller`: the batches, illegal combinations, and the saved state.

mod advantage;
mod cell;
mod controller;
mod optimizer;
mod policy;
mod settings;

pub use controller::Reinforce;
pub use settings::ReinforceSettings;
