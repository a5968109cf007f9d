//! The commands, one file each: arguments, then a short `run`.

mod check;
mod common;
mod completions;
mod data;
mod definitions;
mod estimate;
mod explain;
mod export;
mod figure;
mod man;
mod new;
mod pareto;
mod query;
mod rescore;
mod resume;
mod run;
mod runs;
mod show;
mod store;
mod study;
mod sweep;
mod train;
mod train_predictor;
mod trainings;
mod watch;

use std::ffi::OsString;
use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use tandem::report::{Color, Format};
use tandem::script::keep_panics_of_calls;
use tandem::store::end_with;
use tandem::util::deep_stack::{self, shared_pool};

pub use common::context::Common;
pub use common::error::CliError;
use common::error::{USAGE, usage_json};

/// Searches a CNN and the accelerator that runs it together.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
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
    New(new::Args),
    Check(check::Args),
    Estimate(estimate::Args),
    Data(data::Args),
    Definitions(definitions::Args),
    Store(store::Args),
    Train(train::Args),
    Trainings(trainings::Args),
    TrainPredictor(train_predictor::Args),
    Completions(completions::Args),
    Man(man::Args),
}

/// Finds the value of `--color` in the raw arguments, for help and usage errors, which come before parsing.
fn color(arguments: &[OsString]) -> ColorChoice {
    let mut choice = ColorChoice::Auto;
    for (index, argument) in arguments.iter().enumerate() {
        let Some(argument) = argument.to_str() else { continue };
        let value = match argument.strip_prefix("--color") {
            Some("") => arguments.get(index + 1).and_then(|value| value.to_str()),
            Some(value) => value.strip_prefix('='),
            None => None,
        };
        match value.and_then(|value| Color::from_str(value, false).ok()) {
            Some(Color::Always) => choice = ColorChoice::Always,
            Some(Color::Never) => choice = ColorChoice::Never,
            Some(Color::Auto) | None => {}
        }
    }
    choice
}

/// Returns true if `--json` is among the raw arguments, so that usage errors are printed as JSON.
fn is_json(arguments: &[OsString]) -> bool {
    arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json")
}

/// Prints a usage error, or the requested page of help.
fn answer(error: &clap::Error, json: bool) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if json {
        eprintln!("{}", usage_json(error));
    } else {
        let _ = error.print();
    }
    ExitCode::from(USAGE)
}

/// Runs the program with the given arguments and returns its exit code.
///
/// Exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 the script or its settings are wrong, 4 the store
/// is damaged or held by another process, 99 a threshold does not hold, 130 interrupted and resumable.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let (command, json) =
        (common::help::described(Cli::command()).color(color(&arguments)), is_json(&arguments));
    let parsed =
        command.try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return answer(&error, json),
    };
    cli.common.verbosity().set();
    if cli.common.json {
        cli.common.format = Format::Json;
    }
    common::context::log();
    keep_panics_of_calls();
    shared_pool();
    end_with(CliError::report_store);
    // Scripts need more stack than the main thread has.
    std::thread::scope(|scope| {
        let command =
            deep_stack::builder().name("main".to_owned()).spawn_scoped(scope, || carry_out(&cli));
        match command.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(code)) => code,
            // It has said so.
            Ok(Err(_)) => ExitCode::from(101),
            Err(error) => {
                tracing::debug!(%error, "the command has the main thread's stack");
                carry_out(&cli)
            }
        }
    })
}

fn carry_out(cli: &Cli) -> ExitCode {
    let common = &cli.common;
    let Some(command) = &cli.command else {
        return match stdout().write_all(common::help::start().as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => CliError::from(error).report(),
        };
    };
    let has_output =
        matches!(command, Command::Query(_) | Command::Export(_) | Command::Rescore(_));
    if !has_output && let Err(error) = common::output::refuse_terminal(common.format) {
        return error.report();
    }
    let result = match command {
        Command::Run(args) => run::run(common, args),
        Command::Resume(args) => resume::run(common, args),
        Command::Runs(args) => runs::run(common, args),
        Command::Show(args) => show::run(common, args),
        Command::Watch(args) => watch::run(common, args),
        Command::Query(args) => query::run(common, args),
        Command::Export(args) => export::run(common, args),
        Command::Rescore(args) => rescore::run(common, args),
        Command::Pareto(args) => pareto::run(common, args),
        Command::Explain(args) => explain::run(common, args),
        Command::Figure(args) => figure::run(common, args),
        Command::Sweep(args) => sweep::run(common, args),
        Command::Study(args) => study::run(common, args),
        Command::New(args) => new::run(common, args),
        Command::Check(args) => check::run(common, args),
        Command::Estimate(args) => estimate::run(common, args),
        Command::Data(args) => data::run(common, args),
        Command::Definitions(args) => definitions::run(common, args),
        Command::Store(args) => store::run(common, args),
        Command::Train(args) => train::run(common, args),
        Command::Trainings(args) => trainings::run(common, args),
        Command::TrainPredictor(args) => train_predictor::run(common, args),
        Command::Completions(args) => {
            completions::run(args, common::help::described(Cli::command()))
        }
        Command::Man(args) => man::run(args, common::help::described(Cli::command())),
    };
    match result {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}
