//! `tandem resume`: goes on with an interrupted run.

use std::path::Path;
use std::process::ExitCode;

use super::context::{Common, Loaded, at_least_one, stored_settings};
use super::drift::{changes, forked};
use super::end_reason::Ending;
use super::error::CliError;
use super::run::{carry_on, record, to_stored};
use super::sweep;
use tandem::run::Experiment;
use tandem::store::{RunRecord, Status, Store};

/// Goes on with an interrupted run, to the same trials as if it had never been interrupted.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run's name.
    run: String,
    /// Starts a new run of the experiment as it is now, with the same settings.
    #[arg(long)]
    fork: bool,
    /// Changes the most trials of the whole run; a run that such a limit ended goes on if there are more.
    #[arg(long, value_parser = at_least_one)]
    steps: Option<u64>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.existing_store()?;
    let mut known = store.run(&args.run)?;
    if args.fork {
        refuse_unknown(&known)?;
        let file = known.file.clone();
        let mut settings = forked(&known)?;
        settings.steps = args.steps.or(settings.steps);
        let loaded = common.load_with(Path::new(&file), settings)?;
        if known.sweep.is_some() {
            return sweep::fork(common, &loaded, &store, Path::new(&file), known.name);
        }
        let record = record(&loaded, &store, Path::new(&file), Some(known.name))?;
        let record = store.create_run(record)?;
        return carry_on(common, &loaded, &store, record);
    }
    refuse_lost(&known)?;
    let mut settings = stored_settings(&known)?;
    settings.steps = args.steps.or(settings.steps);
    let loaded = common.load_with(Path::new(&known.file), settings)?;
    let changes = changes(&store, &known, &loaded)?;
    if !changes.is_empty() {
        return Err(CliError::Changed { run: known.name, changes });
    }
    if known.status == Status::Finished {
        refuse_finished(&store, &known, &loaded, args.steps)?;
    }
    if known.sweep.is_none() {
        refuse_fewer(&known.name, store.trial_count(&known.name)?, args.steps)?;
    }
    if args.steps.is_some() {
        known.steps = args.steps;
        known.settings = to_stored(&loaded.settings)?;
    }
    if known.sweep.is_some() {
        return sweep::resume(common, &loaded, &store, known);
    }
    carry_on(common, &loaded, &store, known)
}

/// Refuses to fork a run of which nothing is known but its trials.
fn refuse_unknown(known: &RunRecord) -> Result<(), CliError> {
    if !known.file.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the record of run `{}` was lost with a damaged store, so that its experiment is not known",
        known.name
    );
    let hint = Some("`tandem run FILE` starts a new run of the experiment".to_owned());
    Err(CliError::Usage { message, hint })
}

/// Refuses to go on with a run of which something was lost: what comes next would be another's.
fn refuse_lost(known: &RunRecord) -> Result<(), CliError> {
    let Some(lost) = &known.lost else { return Ok(()) };
    let what = if lost.record { "its record is lost or doubtful" } else { "trials of it are lost" };
    let name = &known.name;
    let hint = match known.file.is_empty() {
        true => format!("`tandem show {name}` shows what is left of it"),
        false if lost.record => format!(
            "if `tandem show {name}` shows the right file and settings, `tandem resume {name} --fork` \
             starts a new run with them"
        ),
        false => format!("`tandem resume {name} --fork` starts a new run with its settings"),
    };
    let message = format!("run `{name}` was salvaged from a damaged store, and {what}");
    Err(CliError::Usage { message, hint: Some(hint) })
}

/// Refuses to go on with a finished run, unless more trials are asked for than a limit had allowed.
fn refuse_finished(
    store: &Store,
    known: &RunRecord,
    loaded: &Loaded,
    steps: Option<u64>,
) -> Result<(), CliError> {
    let name = &known.name;
    let shows = format!("`tandem show {name}` shows it");
    let refuse = |why: &str, hint: String| {
        let message = format!("run `{name}` is finished{why}");
        Err(CliError::Usage { message, hint: Some(hint) })
    };
    if known.sweep.is_some() {
        return refuse("", format!("{shows}, `tandem query true --run {name}` its pairs"));
    }
    let more = steps.filter(|&steps| steps > known.trials);
    let anew = format!("then `tandem resume {name} --fork` starts a new run with it");
    match Ending::of(store, known, loaded.script.thresholds())? {
        // A run that comes to its threshold again says so.
        Ending::Limit(_) | Ending::Threshold(..) if more.is_some() => Ok(()),
        Ending::Limit(limit) => refuse(
            &format!(": its limit of {limit} trials ended it"),
            format!("{shows}; `tandem resume {name} --steps N` goes on to N trials"),
        ),
        Ending::Threshold(threshold, _) => refuse(
            &format!(": its threshold `{threshold}` ended it"),
            format!("{shows}; for more trials change the threshold, {anew}"),
        ),
        Ending::Schedule => {
            let but = more.map(|steps| format!(", which `--steps {steps}` does not change"));
            refuse(
                &format!(": its schedule has no more phases{}", but.unwrap_or_default()),
                format!("{shows}; for more trials raise `steps` of a phase in its script, {anew}"),
            )
        }
    }
}

/// Refuses a limit of fewer trials than there are.
fn refuse_fewer(name: &str, trials: u64, steps: Option<u64>) -> Result<(), CliError> {
    match steps.filter(|&steps| steps < trials) {
        Some(steps) => Err(CliError::Usage {
            message: format!("run `{name}` has {trials} trials already, more than {steps}"),
            hint: Some(format!(
                "`tandem resume {name} --steps N` takes the number of all its trials"
            )),
        }),
        None => Ok(()),
    }
}
