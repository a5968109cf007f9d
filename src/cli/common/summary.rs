//! The summary of a finished run.

use std::io::{self, Write, stdout};

use super::{layout, run_json, thresholds};
use crate::cli::common::context::{Common, label_predicted};
use crate::cli::common::efforts::Took;
use crate::cli::common::error::CliError;
use crate::cli::common::origins::{all_origins, print_origins};
use tandem::accel::registry::families;
use tandem::note;
use tandem::report::{
    Format, Table, TableCell, TrialColumns, counted, duration, elided, grouped, number, spread,
};
use tandem::run::{Experiment, Progress};
use tandem::script::SummaryTable;
use tandem::session::Loaded;
use tandem::store::{Reader, RunRecord, Trial};

/// Prints the name of a run.
pub fn print_name(common: &Common, name: &str) -> Result<(), CliError> {
    if common.format == Format::Table {
        writeln!(stdout(), "run {name}")?;
        stdout().flush()?;
    } else {
        note!("run {name}");
    }
    Ok(())
}

/// The maximum number of phases that are printed for people.
const SHOWN_PHASES: usize = 8;

/// Prints the frontier, the script's own tables and the origins of the numbers.
///
/// For people, the frontier and long texts are shortened. Formats for programs get the whole frontier and
/// nothing else, or with `--json` the whole outcome.
pub fn print(
    common: &Common,
    loaded: &Loaded,
    store: &dyn Reader,
    record: &RunRecord,
    progress: &Progress,
    took: Option<Took>,
) -> Result<(), CliError> {
    let tables = || loaded.script.summary(progress).map_err(|failure| loaded.failure(&failure));
    if common.json {
        return run_json::print(loaded, store, record, progress, took, &tables()?);
    }
    let predicted = label_predicted(common, std::slice::from_ref(record));
    let frontier: Vec<&Trial> = progress.frontier().into_iter().map(AsRef::as_ref).collect();
    if common.format != Format::Table {
        frontier_table(&frontier, progress, predicted).write(common.format, stdout().lock())?;
        return Ok(());
    }
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    print_counts(&mut head, loaded, progress)?;
    print_phases(&mut head, progress, &record.name)?;
    thresholds::print(&mut tail, loaded, progress)?;
    let tables = tables();
    if let Ok(tables) = &tables {
        print_tables(&mut tail, tables)?;
        print_origins(&mut tail, &all_origins(loaded, record))?;
    }
    let others = layout::lines(&head) + layout::lines(&tail);
    let middle = layout::fitting(others, |most| {
        let mut part = Vec::new();
        print_frontier(&mut part, &frontier, progress, &record.name, (predicted, most))?;
        Ok(part)
    })?;
    let mut out = stdout().lock();
    for part in [head, middle, tail] {
        out.write_all(&part)?;
    }
    out.flush()?;
    drop(out);
    // What was found is there, whatever the script makes of it.
    tables?;
    say_how_it_went(store, record, progress, took)
}

fn print_counts(out: &mut impl Write, loaded: &Loaded, progress: &Progress) -> io::Result<()> {
    let space = loaded.script.space().count();
    let pairs = space.map_or_else(|| "more than 2^128".to_owned(), grouped);
    writeln!(
        out,
        "{} trials ({} valid, {} failed) of {pairs} points\n",
        progress.steps(),
        progress.valid(),
        progress.failed()
    )
}

/// Prints at most `most` points of the frontier.
fn print_frontier(
    out: &mut impl Write,
    frontier: &[&Trial],
    progress: &Progress,
    run: &str,
    (predicted, most): (bool, usize),
) -> io::Result<()> {
    let objectives: Vec<String> = progress.objectives().iter().map(ToString::to_string).collect();
    if objectives.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nFrontier ({})", objectives.join(", "))?;
    let shown = shortened(frontier, progress, most);
    let mut table = frontier_table(&shown, progress, predicted);
    if shown.iter().all(|trial| trial.outcome.is_valid()) {
        table.take_out("valid");
    }
    table.write_within(layout::width(), &mut *out)?;
    if shown.len() < frontier.len() {
        writeln!(out, "… {} more: tandem pareto {run}", frontier.len() - shown.len())?;
    }
    Ok(())
}

/// Prints the script's own tables.
fn print_tables(out: &mut impl Write, tables: &[SummaryTable]) -> io::Result<()> {
    for summary in tables {
        writeln!(out, "\n{}", summary.title)?;
        let mut table = Table::new(summary.columns.clone());
        for row in &summary.rows {
            table.push(row.iter().cloned().map(TableCell::Text).collect());
        }
        table.write_within(layout::width(), &mut *out)?;
    }
    Ok(())
}

/// Tabulates points of a frontier.
fn frontier_table(frontier: &[&Trial], progress: &Progress, predicted: bool) -> Table {
    let first = progress.objectives().iter().map(|objective| objective.metric.clone());
    let columns = TrialColumns::new(frontier.iter().copied(), first, false).labeled(predicted);
    let mut table = columns.table();
    for trial in frontier {
        table.push(columns.row("", trial));
    }
    table
}

/// Picks at most `most` points of a frontier, at least 3: its ends, others evenly between them, and the best
/// by reward.
fn shortened<'t>(frontier: &[&'t Trial], progress: &Progress, most: usize) -> Vec<&'t Trial> {
    let best = progress.best().map(|trial| trial.step);
    let best = frontier.iter().position(|trial| Some(trial.step) == best);
    let places: Vec<usize> = (0..frontier.len()).collect();
    let mut shown = spread(&places, most);
    if let Some(best) = best.filter(|best| !shown.contains(best)) {
        // In the place of the point nearest to it that is no end.
        let inner = 1..shown.len() - 1;
        let nearest = inner.min_by_key(|&at| shown[at].abs_diff(best));
        nearest.into_iter().for_each(|at| shown[at] = best);
        shown.sort_unstable();
    }
    shown.into_iter().map(|place| frontier[place]).collect()
}

fn print_phases(out: &mut impl Write, progress: &Progress, run: &str) -> io::Result<()> {
    let mut table = Table::new(["phase", "trials", "valid", "best reward", "at step"]);
    let earlier = progress.phases().len().saturating_sub(SHOWN_PHASES);
    for phase in &progress.phases()[earlier..] {
        let best = phase.best.as_ref();
        table.push(vec![
            phase.name.as_str().into(),
            phase.steps.into(),
            phase.valid.into(),
            best.and_then(|best| best.outcome.reward()).into(),
            best.map(|best| best.step).into(),
        ]);
    }
    table.write_within(layout::width(), &mut *out)?;
    if earlier > 0 {
        writeln!(
            out,
            "… {earlier} before these: tandem query true --run {run} --by phase --agg count,max:reward"
        )?;
    }
    Ok(())
}

/// Prints notes on the effort and failures of this process, which are not results, and the next commands.
fn say_how_it_went(
    store: &dyn Reader,
    record: &RunRecord,
    progress: &Progress,
    took: Option<Took>,
) -> Result<(), CliError> {
    if progress.objectives().is_empty() {
        note!("no frontier: `fn objectives()` in the script would name its metrics");
    }
    if let Some(took) = took.filter(|took| took.trials > 0) {
        let known = took.efforts(store, record, progress)?.reused();
        let known = known.map_or_else(String::new, |known| format!("; known before: {known}"));
        let text = format!(
            "{} in {}, {} a second{known}",
            counted(took.trials, "trial", "trials"),
            duration(took.time.as_secs_f64()),
            number(took.per_s().round()),
        );
        note!("\n{}", layout::note(&text, 2));
    }
    if let Some(text) = failures(progress) {
        note!("{}", elided(&text, layout::width_of_notes()));
    }
    let run = &record.name;
    let best = progress.best().map(|best| match is_modelled(record) {
        true => format!("`tandem explain {run} {}` why the best costs what it does, ", best.step),
        false => format!("`tandem show {run} {}` the best, ", best.step),
    });
    let best = best.unwrap_or_default();
    let next = format!("next: {best}`tandem pareto {run}`, `tandem help query`");
    note!("{}", layout::note(&next, 6));
    Ok(())
}

/// The number of failed trials and the first reason; `None` if no trial or all of them failed.
fn failures(progress: &Progress) -> Option<String> {
    if progress.failed() == progress.steps() {
        return None;
    }
    let reason = progress.trials().iter().find_map(|trial| trial.outcome.failure())?;
    let reason = reason.lines().next().unwrap_or_default();
    Some(format!("{} failed, the first: {reason}", grouped(progress.failed().into())))
}

/// Returns true if the estimates come from a native accelerator model, which can explain them.
fn is_modelled(record: &RunRecord) -> bool {
    families().iter().any(|family| record.origins.contains(&family.origin()))
}
