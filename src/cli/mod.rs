//! The commands, one file each: arguments, then a short `run`.

mod changes;
mod check;
mod compare;
mod context;
mod data;
mod error;
mod estimate;
mod explain;
mod export;
mod figure;
mod output;
mod pareto;
mod query;
mod query_text;
mod rescore;
mod resume;
mod run;
mod runs;
mod show;
mod store;
mod study;
mod summary;
mod sweep;
mod sweep_summary;
mod thresholds;
mod train;
mod train_predictor;
mod trainings;
mod watch;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::store::end_with;

pub use context::Common;
pub use error::CliError;

/// Searches a CNN and the accelerator that runs it together.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Args),
    Resume(resume::Args),
    Runs(runs::Args),
    Show(show::Args),
    Watch(watch::Args),
    Query(query::Args),
    Export(export::Args),
    Rescore(rescore::Args),
    Pareto(pareto::Args),
    Explain(explain::Args),
    Figure(figure::Args),
    Sweep(sweep::Args),
    Study(study::Args),
    Check(check::Args),
    Estimate(estimate::Args),
    Data(data::Args),
    Store(store::Args),
    Train(train::Args),
    Trainings(trainings::Args),
    TrainPredictor(train_predictor::Args),
}

/// Runs the program with the given arguments and says how it went.
///
/// Exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 the script or its settings are wrong,
/// 4 the store is damaged or held by another process, 99 a threshold does not hold, 130 interrupted and resumable.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::from(error.use_stderr()) * 2);
        }
    };
    context::log();
    end_with(CliError::report_store);
    let common = &cli.common;
    let has_output =
        matches!(cli.command, Command::Query(_) | Command::Export(_) | Command::Rescore(_));
    if !has_output && let Err(error) = output::refuse_terminal(common.format) {
        return error.report();
    }
    let result = match cli.command {
        Command::Run(args) => run::run(common, &args),
        Command::Resume(args) => resume::run(common, &args),
        Command::Runs(args) => runs::run(common, &args),
        Command::Show(args) => show::run(common, &args),
        Command::Watch(args) => watch::run(common, &args),
        Command::Query(args) => query::run(common, &args),
        Command::Export(args) => export::run(common, &args),
        Command::Rescore(args) => rescore::run(common, &args),
        Command::Pareto(args) => pareto::run(common, &args),
        Command::Explain(args) => explain::run(common, &args),
        Command::Figure(args) => figure::run(common, &args),
        Command::Sweep(args) => sweep::run(common, &args),
        Command::Study(args) => study::run(common, &args),
        Command::Check(args) => check::run(common, &args),
        Command::Estimate(args) => estimate::run(common, &args),
        Command::Data(args) => data::run(common, &args),
        Command::Store(args) => store::run(common, &args),
        Command::Train(args) => train::run(common, &args),
        Command::Trainings(args) => trainings::run(common, &args),
        Command::TrainPredictor(args) => train_predictor::run(common, &args),
    };
    match result {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}
