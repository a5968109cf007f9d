//! `tandem sweep`: evaluates every pair of a space.

mod sweep_summary;

use std::process::ExitCode;

use crate::cli::common::context::{Common, ExperimentArgs, cache_dir};
use crate::cli::common::error::CliError;
use crate::cli::common::interrupt::stop;
use crate::cli::common::summary;
use tandem::note;
use tandem::report::SweepBar;
use tandem::run::RunEnd;
use tandem::session::{Loaded, Sweep, Swept};
use tandem::store::{RunRecord, Store};

/// Evaluates every pair of an experiment's space: the exact frontier, the best pairs for each
/// objective that its sweep() names, and counts.
///
/// The result is stored like a run: the frontier and the best pairs are its trials.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// How many of the best pairs for each objective are kept.
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let mut set = args.experiment.set.clone();
    set.extend(args.top.map(|top| format!("top={top}")));
    let loaded = common.load(&args.experiment.file, &set)?;
    let sweep = prepared(&loaded)?;
    let store = common.store()?;
    let record = store.create_run(sweep.record(&store, None)?)?;
    carry_on(common, &sweep, &store, record)
}

/// Prepares the sweep of an experiment.
pub fn prepared(loaded: &Loaded) -> Result<Sweep<'_>, CliError> {
    Ok(Sweep::new(loaded, cache_dir().as_deref())?)
}

/// Makes a progress bar for a sweep, which starts at its last checkpoint.
pub fn bar(sweep: &Sweep<'_>, record: &RunRecord) -> SweepBar {
    let (networks, configurations) = sweep.size();
    SweepBar::new(networks, configurations, record.sweep.as_ref().map_or(0, |sweep| sweep.done))
}

/// Sweeps from the last checkpoint on, then prints the summary.
fn carry_on(
    common: &Common,
    sweep: &Sweep<'_>,
    store: &Store,
    record: RunRecord,
) -> Result<ExitCode, CliError> {
    summary::print_name(common, &record.name)?;
    let name = record.name.clone();
    let mut bar = bar(sweep, &record);
    let swept = sweep.run(store, record, &stop(), &mut |progress| bar.observe(&progress));
    drop(bar);
    let Swept { end, record, classes } = swept?;
    match end {
        RunEnd::Finished => {
            sweep_summary::print(common, store, &record, classes)?;
            Ok(ExitCode::SUCCESS)
        }
        RunEnd::Interrupted => {
            let record = record.sweep.unwrap_or_default();
            note!(
                "interrupted after {} of {} networks; `tandem resume {name}` goes on",
                record.done,
                record.networks
            );
            Ok(ExitCode::from(130))
        }
    }
}

/// Resumes an interrupted sweep.
pub fn resume(
    common: &Common,
    loaded: &Loaded,
    store: &Store,
    record: RunRecord,
) -> Result<ExitCode, CliError> {
    let sweep = prepared(loaded)?;
    sweep.resume(&record)?;
    carry_on(common, &sweep, store, record)
}

/// Starts a new sweep of the experiment as it is now.
pub fn fork(
    common: &Common,
    loaded: &Loaded,
    store: &Store,
    mut record: RunRecord,
) -> Result<ExitCode, CliError> {
    let sweep = prepared(loaded)?;
    sweep.describe(&mut record);
    let record = store.create_run(record)?;
    carry_on(common, &sweep, store, record)
}
