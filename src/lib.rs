//! Tandem searches for a CNN and the accelerator it runs on, together.
//!
//! An experiment script (Rhai) says what may be chosen, how a choice is judged, and which controller explores
//! when. The library evaluates pairs natively and keeps every trial in a store, so that any run can be
//! interrupted, resumed and questioned later.
//!
//! # One trial
//!
//! ```text
//! script: space()           ->  Space        the choices                        script, space
//! controller.ask()          ->  Point        one option for each choice         search
//! script: evaluate(point)   ->  Metrics      calls native functions             script
//!     network                                layers with shapes                 network
//!     accuracy                               table, predictor or training       accuracy, train
//!     accelerator                            latency, area                      accel
//! script: reward(metrics)   ->  f64          or a declarative objective         script, pareto
//! store.append(trials)                       the journal                        store
//! controller.tell(feedback)                  in ask order                       search
//! ```
//!
//! [`run`] goes through these steps; [`session`] decides whether a run may begin or go on.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::AtomicBool;
//!
//! use tandem::run::Event;
//! use tandem::session::load;
//! use tandem::store::{OpenMode, Store};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("first.rhai");
//! std::fs::write(&file, r#"
//!     fn space() { #{ cnn: nasbench201::space(), hw: chaidnn::space() } }
//!     fn evaluate(point) {
//!         let cost = chaidnn::estimate(nasbench201::network(point.cnn), point.hw);
//!         #{ accuracy: accuracy::nasbench201(point.cnn, "cifar10"), latency_ms: cost.latency_ms, area_mm2: cost.area_mm2 }
//!     }
//!     fn reward(m) { m.accuracy - 0.001 * m.latency_ms }
//!     fn schedule(run) {
//!         if run.phases == 0 { phase("all", #{ steps: 50, controller: evolution() }) }
//!     }
//! "#)?;
//! let experiment = load(&file, &["seed=1".into()], None)?;
//! let store = Arc::new(Store::open(&folder.path().join("store"), OpenMode::ReadWrite)?);
//! let run = store.create_run(experiment.record(&store, None)?)?;
//! let stop = AtomicBool::new(false);
//! let (_, progress) = experiment.run(&store, run, &stop, &mut |_: Event<'_>| {})?;
//! assert_eq!(progress.steps(), 50);
//! assert!(progress.best().is_some() && !progress.frontier().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Modules
//!
//! Each module knows only those before it here: [`util`], [`metrics`], [`pareto`], [`space`], [`network`],
//! [`accel`], [`train`], [`accuracy`], [`search`], [`store`], [`run`], [`sweep`], [`study`], [`report`],
//! [`script`], [`session`], [`query`]. The program's commands are not part of the library.

pub mod accel;
pub mod accuracy;
pub mod metrics;
pub mod network;
pub mod pareto;
pub mod query;
pub mod report;
pub mod run;
pub mod script;
pub mod search;
pub mod session;
pub mod space;
pub mod store;
pub mod study;
pub mod sweep;
#[cfg(test)]
mod test_support;
pub mod train;
pub mod util;

/// The tests' allocator: scripts' limits of memory need one that counts.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: util::alloc_meter::CountingAllocator =
    util::alloc_meter::CountingAllocator::ABORTING;
