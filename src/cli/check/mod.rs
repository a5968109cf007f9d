//! `tandem check`: a dry run.

mod probe;
mod report;

use std::io::{Write, stdout};
use std::process::ExitCode;

use super::sweep::prepared;
use crate::cli::common::context::{Common, ExperimentArgs};
use crate::cli::common::error::{CliError, described};
use probe::Tried;
use report::Report;
use tandem::report::{Format, Verbosity};
use tandem::run::Experiment;
use tandem::script::{Diagnostic, SweepPlan};
use tandem::session::Loaded;
use tandem::sweep::MAX_PAIRS;

/// Checks an experiment without running it: what it says, the space, a few points, the phases, what it
/// would cost.
///
/// Trainings are left out, and only measured. What is wrong is an error, and what is hardly meant so a
/// warning: arguments, functions, imports and parts of the space that nothing uses, and what fails or
/// makes no difference at the points that are tried.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
    /// Takes warnings for errors.
    #[arg(long)]
    strict: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let loaded = common.load(&args.experiment.file, &args.experiment.set)?;
    let script = &loaded.script;
    let sweeps = script.defines("sweep");
    let plan = if sweeps { Some(script.sweep_plan()?) } else { None };
    if !sweeps {
        script.require_run()?;
    }
    if plan.as_ref().is_some_and(SweepPlan::is_one_by_one)
        && script.space().count().is_none_or(|pairs| pairs > MAX_PAIRS.into())
    {
        // A table may have fewer networks than the space, so that the sweep itself has to say.
        prepared(&loaded)?;
    }
    let runs = script.require_run().is_ok();
    let store = common.existing_store().ok();
    if let Some(store) = &store {
        loaded.keep_in(store);
    }
    let tried = Tried::of(&loaded, runs)?;
    let mut warnings = script.review(&loaded.settings);
    warnings.extend(tried.warnings.clone());

    let mut report = Report::default();
    report.space(script.space());
    report.arguments(&loaded);
    report.metrics(&tried);
    report.phases(&tried, runs);
    report.goals(script.thresholds(), plan.as_ref());
    report.cost(&loaded, &tried, runs, plan.as_ref());
    report.sources(script.services());
    report.write(common.format, stdout().lock())?;
    warnings.iter().for_each(|warning| warn(&loaded, warning, args.strict));
    if args.strict && !warnings.is_empty() {
        return Ok(ExitCode::from(3));
    }
    if common.format == Format::Table {
        let what = match (runs, sweeps) {
            (true, true) => "run and to sweep",
            (false, true) => "sweep",
            (_, false) => "run",
        };
        writeln!(stdout(), "\n{} is ready to {what}", args.experiment.file.display())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a likely mistake as a warning, or with `--strict` as an error.
fn warn(loaded: &Loaded, warning: &Diagnostic, strict: bool) {
    let verbosity = Verbosity::get();
    let (sources, colors) = (loaded.script.texts(), verbosity.colors());
    if verbosity.json {
        let kind = if strict { "error" } else { "warning" };
        eprintln!("{}", described(kind, &warning.message, Some(warning)));
    } else if strict {
        eprintln!("{}", warning.render(sources, colors));
    } else if !verbosity.quiet {
        eprintln!("{}", warning.render_warning(sources, colors));
    }
}
