//! What a finished run prints.

use std::io::{Write, stdout};

use super::context::{Common, Loaded, label_predicted};
use super::error::CliError;
use super::thresholds;
use crate::note;
use crate::report::{Cell, Format, Table, TrialColumns};
use crate::store::RunRecord;
use crate::study::{Experiment, Progress};

/// Prints the name of a run as soon as it is known.
pub fn print_name(common: &Common, name: &str) -> Result<(), CliError> {
    if common.format == Format::Table {
        writeln!(stdout(), "run {name}")?;
        stdout().flush()?;
    } else {
        note!("run {name}");
    }
    Ok(())
}

/// Prints the frontier, the script's own tables and where the numbers come from.
///
/// In formats for other programs only the frontier is printed.
pub fn print(
    common: &Common,
    loaded: &Loaded,
    record: &RunRecord,
    progress: &Progress,
) -> Result<(), CliError> {
    let mut out = stdout().lock();
    let frontier = progress.frontier();
    let trials = || frontier.iter().map(|trial| trial.as_ref());
    let first = progress.objectives().iter().map(|objective| objective.metric.clone());
    let predicted = label_predicted(common, std::slice::from_ref(record));
    let columns = TrialColumns::new(trials().collect::<Vec<_>>(), first, false).labelled(predicted);
    let mut table = columns.table();
    for trial in trials() {
        table.push(columns.row("", trial));
    }
    if common.format != Format::Table {
        table.write(common.format, out)?;
        return Ok(());
    }

    let space = loaded.script.space().count();
    let pairs = space.map_or_else(|| "more than 2^128".to_owned(), crate::report::grouped);
    writeln!(
        out,
        "{} trials ({} valid, {} failed) of {pairs} points",
        progress.steps(),
        progress.valid(),
        progress.failed()
    )?;
    let mut phases = Table::new(["phase", "trials", "valid", "best reward", "at step"]);
    for phase in progress.phases() {
        let best = phase.best.as_ref();
        phases.push(vec![
            phase.name.as_str().into(),
            phase.steps.into(),
            phase.valid.into(),
            best.and_then(|best| best.outcome.reward()).into(),
            best.map(|best| best.step).into(),
        ]);
    }
    writeln!(out)?;
    phases.write(Format::Table, &mut out)?;
    let objectives: Vec<String> = progress.objectives().iter().map(ToString::to_string).collect();
    if objectives.is_empty() {
        note!("no frontier: `fn objectives()` in the script would name its metrics");
    } else {
        writeln!(out, "\nFrontier ({})", objectives.join(", "))?;
        table.write(Format::Table, &mut out)?;
    }

    thresholds::print(&mut out, loaded, progress)?;
    let tables = loaded.script.summary(progress).map_err(|failure| loaded.failure(&failure))?;
    for summary in tables {
        writeln!(out, "\n{}", summary.title)?;
        let mut table = Table::new(summary.columns);
        for row in summary.rows {
            table.push(row.into_iter().map(Cell::Text).collect());
        }
        table.write(Format::Table, &mut out)?;
    }
    writeln!(out)?;
    let mut all = record.origins.clone();
    all.extend(origins(loaded).into_iter().filter(|origin| !record.origins.contains(origin)));
    for origin in all {
        writeln!(out, "{origin}")?;
    }
    Ok(())
}

/// Where the numbers of an experiment came from so far, and how far they can be trusted.
pub fn origins(loaded: &Loaded) -> Vec<String> {
    loaded.script.host().origins().described
}
