//! `tandem run`: runs an experiment.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use crate::cli::common::context::{Common, ExperimentArgs, at_least_one};
use crate::cli::common::efforts::Took;
use crate::cli::common::error::CliError;
use crate::cli::common::interrupt::stop_of;
use crate::cli::common::{run_json, summary, thresholds};
use tandem::note;
use tandem::report::Terminal;
use tandem::run::{Progress, RunEnd, all_failed};
use tandem::session::Loaded;
use tandem::store::{RunRecord, Store};

/// Runs an experiment: prints the run's name, then a summary with the frontier.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// The seed of every random number [default: 0]
    #[arg(long)]
    seed: Option<u64>,
    /// The most trials of the whole run.
    #[arg(long, value_parser = at_least_one)]
    steps: Option<u64>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let mut set = args.experiment.set.clone();
    set.extend(args.seed.map(|seed| format!("seed={seed}")));
    set.extend(args.steps.map(|steps| format!("steps={steps}")));
    let loaded = common.load(&args.experiment.file, &set)?;
    loaded.script.require_run()?;
    let store = common.store()?;
    let record = store.create_run(loaded.record(&store, None)?)?;
    carry_on(common, &loaded, &store, record)
}

/// Runs from the end of the stored trials on, then prints the summary.
pub fn carry_on(
    common: &Common,
    loaded: &Loaded,
    store: &Arc<Store>,
    record: RunRecord,
) -> Result<ExitCode, CliError> {
    let name = record.name.clone();
    summary::print_name(common, &name)?;
    let before = store.trial_count(&name)?;
    let started = Instant::now();
    let stop = stop_of(loaded);
    let mut terminal = Terminal::new(record.steps);
    loaded.script.services().trainer().observe(terminal.trainings());
    let ended = loaded.run(store, record, &stop, &mut terminal);
    drop(terminal);
    let (end, progress) = ended?;
    let took = Took { trials: progress.steps().saturating_sub(before), time: started.elapsed() };
    match end {
        RunEnd::Finished
            if summary_to_the_end(common, loaded, store, &name, &progress, Some(took))? =>
        {
            match all_failed(&progress) {
                Some(error) => Err(loaded.explain(error).into()),
                None => Ok(thresholds::verdict(loaded, &progress)),
            }
        }
        RunEnd::Finished => Ok(ExitCode::from(130)),
        RunEnd::Interrupted => {
            if common.json {
                let record = store.run(&name)?;
                run_json::print(loaded, store.as_ref(), &record, &progress, Some(took), &[])?;
            }
            note!("interrupted after {} trials; `tandem resume {name}` goes on", progress.steps());
            Ok(ExitCode::from(130))
        }
    }
}

/// Prints the summary of a run; returns `false` if a training that it requests was interrupted.
pub fn summary_to_the_end(
    common: &Common,
    loaded: &Loaded,
    store: &Arc<Store>,
    name: &str,
    progress: &Progress,
    took: Option<Took>,
) -> Result<bool, CliError> {
    stop_of(loaded);
    loaded.keep_in(store);
    let trainer = loaded.script.services().trainer();
    let printed = summary::print(common, loaded, store.as_ref(), &store.run(name)?, progress, took);
    if printed.is_err() && trainer.was_interrupted() {
        note!("interrupted; `tandem show {name} --summary` goes on with the summary");
        return Ok(false);
    }
    printed?;
    Ok(true)
}
