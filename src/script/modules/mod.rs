//! The native functions of scripts, a file for each module.

mod accelerator;
mod accuracy;
mod cell;
mod chaidnn;
mod mobilenet;
mod nasbench101;
mod nasbench201;
mod network;
mod objective;
mod part;
mod phase;
mod reward;
mod rules;
mod run;
mod space;
mod train;
mod values;

use std::sync::Arc;

use rhai::Engine;

use super::host::Host;

pub(super) use accelerator::{Running, ScriptAccelerator};
pub(super) use accuracy::{AccuracySource, Missing};
pub(super) use phase::{Closure, PhaseReward, ScriptPhase};
pub(super) use reward::read as reward_of;
pub(super) use run::{ScriptRun, script_point};
pub(super) use space::{PartError, ScriptPart};
pub use train::TrainingPlan;

/// Registers everything.
pub(super) fn register(engine: &mut Engine, host: &Arc<Host>) {
    space::register(engine);
    part::register(engine);
    network::register(engine);
    nasbench201::register(engine, host);
    nasbench101::register(engine, host);
    mobilenet::register(engine);
    chaidnn::register(engine, host);
    accelerator::register(engine, host);
    accuracy::register(engine, host);
    reward::register(engine);
    objective::register(engine);
    phase::register(engine);
    train::register(engine, host);
    run::register(engine);
    crate::script::table::register(engine);
}
