//! Loading experiments, starting, resuming and forking runs, and sweeping spaces, without the command line.
//! Runs that cannot continue with the same trials are refused.
//!
//! ```
//! use std::path::Path;
//! use std::sync::Arc;
//! use std::sync::atomic::AtomicBool;
//!
//! use tandem::run::{RunEnd, Event};
//! use tandem::session::{Overrides, Sweep, fork, load, resume};
//! use tandem::store::{OpenMode, Store};
//!
//! let folder = tempfile::tempdir()?;
//! let file = folder.path().join("adder.rhai");
//! std::fs::write(&file, r#"
//!     fn space() { #{ adder: space::part().choice("bits", [4, 8, 16]).choice("stages", [1, 2]) } }
//!     fn evaluate(point) {
//!         let adder = point.adder;
//!         #{ error: 1.0 / adder.bits, latency_ms: 0.1 * adder.bits / adder.stages }
//!     }
//!     fn objectives() { ["error:min", "latency_ms:min"] }
//!     fn reward(m) { -m.error - m.latency_ms }
//!     fn schedule(run) { if run.phases == 0 { phase("all", #{ steps: 40, controller: random() }) } }
//!     fn sweep() { #{} }
//! "#)?;
//! let store = Arc::new(Store::open(&folder.path().join("store"), OpenMode::ReadWrite)?);
//! let stop = AtomicBool::new(false);
//! let mut quiet = |_: Event<'_>| {};
//!
//! // A run of 10 trials, which a limit ends.
//! let data = None;
//! let experiment = load(&file, &["steps=10".into()], data)?;
//! let record = store.create_run(experiment.record(&store, None)?)?;
//! let (end, progress) = experiment.run(&store, record, &stop, &mut quiet)?;
//! assert_eq!((end, progress.steps()), (RunEnd::Finished, 10));
//!
//! // The same run, resumed to 25 trials.
//! let more = Overrides { steps: Some(25), ..Overrides::default() };
//! let (experiment, record) = resume(&store, "adder-1", &more)?;
//! let (_, progress) = experiment.run(&store, record, &stop, &mut quiet)?;
//! assert_eq!(progress.steps(), 25);
//!
//! // A new run with the experiment as it is now, and every pair of the space.
//! let (experiment, record) = fork(&store, "adder-1", &more)?;
//! let (_, again) = experiment.run(&store, store.create_run(record)?, &stop, &mut quiet)?;
//! assert_eq!(again.best().map(|best| &best.point), progress.best().map(|best| &best.point));
//!
//! let experiment = load(&file, &[], data)?;
//! let cache = None;
//! let sweep = Sweep::new(&experiment, cache)?;
//! let record = store.create_run(sweep.record(&store, None)?)?;
//! let swept = sweep.run(&store, record, &stop, &mut |_| {})?;
//! // Two stages are never worse than one: the frontier has a pair for each number of bits.
//! assert_eq!(store.trial_count(&swept.record.name)?, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;
mod drift;
mod end_reason;
mod error;
mod load;
mod resume;
mod sweep;

pub use change::{Change, diff, one_line};
pub use drift::changes;
pub use end_reason::{EndReason, lost_threshold, progress};
pub use error::SessionError;
pub use load::{Loaded, data_folder, load, load_run, load_with, read_settings, stored_settings};
pub use resume::{Overrides, fork, resume};
pub use sweep::{Sweep, Swept};
