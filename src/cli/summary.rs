//! What a finished run prints.

use std::io::{Write, stdout};

use super::context::{Common, Loaded, label_predicted};
use super::error::CliError;
use super::outcome::{self, Took};
use super::show::Efforts;
use super::thresholds;
use crate::note;
use crate::report::{
    Cell, Format, Table, TrialColumns, columns_of_results, duration, grouped, number, spread,
};
use crate::script::Source;
use crate::store::{Reader, RunRecord, Trial};
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

/// The width of what is printed where there is no terminal that has one.
const WIDTH: usize = 100;

/// Points of the frontier that are printed for people; the rest is a command away.
const SHOWN: usize = 10;

/// Phases that are printed for people.
const SHOWN_PHASES: usize = 8;

/// Prints the frontier, the script's own tables and where the numbers come from.
///
/// For people the frontier is shortened and so are long texts. In formats for other programs the
/// frontier is printed, all of it and nothing else; with `--json` the whole outcome.
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
        return outcome::print(loaded, store, record, progress, took, &tables()?);
    }
    let mut out = stdout().lock();
    let predicted = label_predicted(common, std::slice::from_ref(record));
    let frontier: Vec<&Trial> = progress.frontier().into_iter().map(AsRef::as_ref).collect();
    if common.format != Format::Table {
        frontier_table(&frontier, progress, predicted).write(common.format, out)?;
        return Ok(());
    }
    let width = columns_of_results().unwrap_or(WIDTH);
    let space = loaded.script.space().count();
    let pairs = space.map_or_else(|| "more than 2^128".to_owned(), grouped);
    writeln!(
        out,
        "{} trials ({} valid, {} failed) of {pairs} points",
        progress.steps(),
        progress.valid(),
        progress.failed()
    )?;
    writeln!(out)?;
    print_phases(&mut out, progress, &record.name, width)?;
    let objectives: Vec<String> = progress.objectives().iter().map(ToString::to_string).collect();
    if objectives.is_empty() {
        note!("no frontier: `fn objectives()` in the script would name its metrics");
    } else {
        writeln!(out, "\nFrontier ({})", objectives.join(", "))?;
        let shown = shortened(&frontier, progress);
        let mut table = frontier_table(&shown, progress, predicted);
        if shown.iter().all(|trial| trial.outcome.is_valid()) {
            table.take_out("valid");
        }
        table.write_within(width, &mut out)?;
        if shown.len() < frontier.len() {
            let more = frontier.len() - shown.len();
            writeln!(out, "… {more} more: tandem pareto {}", record.name)?;
        }
    }

    thresholds::print(&mut out, loaded, progress)?;
    for summary in tables()? {
        writeln!(out, "\n{}", summary.title)?;
        let mut table = Table::new(summary.columns);
        for row in summary.rows {
            table.push(row.into_iter().map(Cell::Text).collect());
        }
        table.write_within(width, &mut out)?;
    }
    writeln!(out)?;
    for origin in all_origins(loaded, record) {
        writeln!(out, "{origin}")?;
    }
    out.flush()?;
    drop(out);
    say_how_it_went(loaded, store, record, progress, took)
}

/// A table of points of a frontier.
fn frontier_table(frontier: &[&Trial], progress: &Progress, predicted: bool) -> Table {
    let first = progress.objectives().iter().map(|objective| objective.metric.clone());
    let columns = TrialColumns::new(frontier.iter().copied(), first, false).labelled(predicted);
    let mut table = columns.table();
    for trial in frontier {
        table.push(columns.row("", trial));
    }
    table
}

/// Some points of a frontier: its ends, others evenly between them, and the best by reward.
fn shortened<'t>(frontier: &[&'t Trial], progress: &Progress) -> Vec<&'t Trial> {
    let best = progress.best().map(|trial| trial.step);
    let best = frontier.iter().position(|trial| Some(trial.step) == best);
    let places: Vec<usize> = (0..frontier.len()).collect();
    let mut shown = spread(&places, SHOWN);
    if let Some(best) = best.filter(|best| !shown.contains(best)) {
        // In the place of the point nearest to it that is no end.
        let inner = 1..shown.len() - 1;
        let nearest = inner.min_by_key(|&at| shown[at].abs_diff(best));
        nearest.into_iter().for_each(|at| shown[at] = best);
        shown.sort_unstable();
    }
    shown.into_iter().map(|place| frontier[place]).collect()
}

fn print_phases(
    out: &mut impl Write,
    progress: &Progress,
    run: &str,
    width: usize,
) -> std::io::Result<()> {
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
    table.write_within(width, &mut *out)?;
    if earlier > 0 {
        writeln!(
            out,
            "… {earlier} before these: tandem query true --run {run} --by phase --agg count,max:reward"
        )?;
    }
    Ok(())
}

/// Says what differs from one time to the next, which is no result, and where to go on.
fn say_how_it_went(
    loaded: &Loaded,
    store: &dyn Reader,
    record: &RunRecord,
    progress: &Progress,
    took: Option<Took>,
) -> Result<(), CliError> {
    if let Some(took) = took.filter(|took| took.trials > 0) {
        let known = Efforts::of(store, record)?.reused();
        let known = known.map_or_else(String::new, |known| format!("; known before: {known}"));
        note!(
            "\n{} trials in {}, {} a second{known}",
            grouped(took.trials.into()),
            duration(took.time.as_secs_f64()),
            number(took.per_s().round()),
        );
    }
    let run = &record.name;
    let best = progress.best().map(|best| {
        let modelled = loaded.script.host().sources().contains(&Source::Chaidnn);
        match modelled {
            true => {
                format!("`tandem explain {run} {}` why the best costs what it does, ", best.step)
            }
            false => format!("`tandem show {run} {}` the best, ", best.step),
        }
    });
    let best = best.unwrap_or_default();
    note!("next: {best}`tandem pareto {run}`, `tandem help query`");
    Ok(())
}

/// Where the numbers of a run come from: when it was made, and now.
pub fn all_origins(loaded: &Loaded, record: &RunRecord) -> Vec<String> {
    let mut all = record.origins.clone();
    all.extend(origins(loaded).into_iter().filter(|origin| !record.origins.contains(origin)));
    all
}

/// Where the numbers of an experiment came from so far, and how far they can be trusted.
pub fn origins(loaded: &Loaded) -> Vec<String> {
    loaded.script.host().origins().described
}
