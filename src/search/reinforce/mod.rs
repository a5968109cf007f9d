//! REINFORCE over a recurrent policy, the paper's controller.
//!
//! One LSTM cell makes the choices one after the other: each step reads what was chosen before and
//! a softmax head gives the probabilities of the options (B. Zoph, Q. V. Le, "Neural Architecture
//! Search with Reinforcement Learning", ICLR 2017). The weights follow the policy gradient (R. J.
//! Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement
//! learning", 1992) with a moving-average baseline and an entropy bonus.
//!
//! - `settings`: what can be set, and the ranges;
//! - `cell`: the LSTM over a sequence, forwards and backwards;
//! - `policy`: the weights, sampling, and the loss;
//! - `advantage`: from rewards of any scale to advantages;
//! - `optimiser`: Adam with a state that can be saved;
//! - `controller`: the batches, illegal combinations, and the saved state.

mod advantage;
mod cell;
mod controller;
mod optimiser;
mod policy;
mod settings;

pub use controller::Reinforce;
pub use settings::ReinforceSettings;
