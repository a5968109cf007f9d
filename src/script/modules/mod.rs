//! The native functions of scripts, a file for each module.

mod accelerator;
mod accuracy;
mod cell;
mod chaidnn;
mod closure;
mod controller;
mod mobilenet;
mod nasbench101;
mod nasbench201;
mod network;
mod objective;
mod part;
mod part_value;
mod phase;
mod reward;
mod rules;
mod run;
mod space;
mod train;
mod values;

use std::sync::Arc;

use rhai::{Engine, Module};

use super::sandbox::depth::{self, levels_of};
use super::services::Services;

pub(super) use accelerator::ScriptAccelerator;
pub(super) use accuracy::{AccuracySource, Missing};
pub(super) use closure::Closure;
pub(super) use part_value::{PartError, ScriptPart};
pub(super) use phase::{PhaseReward, ScriptPhase};
pub(super) use reward::read as reward_of;
pub(super) use run::{ScriptRun, script_point};
pub(super) use space::register_names;
pub use train::TrainingPlan;

/// Registers all native functions, modules and types.
pub(super) fn register(engine: &mut Engine, services: &Arc<Services>) {
    depth::know(&[levels_of::<ScriptPhase>, levels_of::<ScriptAccelerator>]);
    // A single module: a call looks through all global ones until it finds its function.
    let mut globals = Module::new();
    space::register(&mut globals);
    part::register(engine, &mut globals);
    network::register(engine, &mut globals);
    nasbench201::register(engine, &mut globals, services);
    nasbench101::register(engine, &mut globals, services);
    mobilenet::register(engine, &mut globals);
    chaidnn::register(engine, &mut globals, services);
    accelerator::register(engine, &mut globals, services);
    accuracy::register(engine, &mut globals, services);
    reward::register(&mut globals);
    objective::register(engine, &mut globals);
    phase::register(&mut globals);
    controller::register(&mut globals);
    train::register(engine, &mut globals, services);
    run::register(&mut globals);
    crate::script::table::register(&mut globals);
    engine.register_global_module(globals.into());
}
