//! The summary of a finished sweep.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write, stdout};

use crate::cli::common::context::{Common, label_predicted};
use crate::cli::common::error::CliError;
use crate::cli::common::layout;
use crate::cli::common::origins::print_origins;
use tandem::report::{Format, Table, TrialColumns, grouped, number, spread};
use tandem::store::{RunRecord, Store, SweepRecord, Trial};
use tandem::sweep::stored_frontier;

/// The maximum number of best pairs of an objective that are printed for people.
const SHOWN_BEST: usize = 5;

/// Prints the frontier, the best pairs and the counts of a sweep.
///
/// For people, long lists and texts are shortened. Formats for programs get the whole frontier and nothing
/// else.
pub fn print(
    common: &Common,
    store: &Store,
    record: &RunRecord,
    classes: Option<usize>,
) -> Result<(), CliError> {
    let sweep = record.sweep.clone().unwrap_or_default();
    let trials: Vec<Trial> = store.trials(&record.name)?.collect::<Result<_, _>>()?;
    let frontier = stored_frontier(record, &trials);
    if common.format != Format::Table {
        label_predicted(common, std::slice::from_ref(record));
        return Ok(table(record, &frontier, false).write(common.format, stdout().lock())?);
    }
    let (mut head, mut tail) = (Vec::new(), Vec::new());
    print_counts(&mut head, record, &sweep, classes)?;
    print_origins(&mut tail, &record.origins)?;
    print_speed(&mut tail, &sweep)?;
    print_frontier_line(&mut head, record, &sweep, &frontier)?;
    let lists = layout::fitting(layout::lines(&head) + layout::lines(&tail), |most| {
        let mut part = Vec::new();
        print_frontier(&mut part, record, &frontier, most)?;
        print_goals(&mut part, record, &sweep, &trials, most)?;
        Ok(part)
    })?;
    let mut out = stdout().lock();
    for part in [head, lists, tail] {
        out.write_all(&part)?;
    }
    Ok(out.flush()?)
}

fn print_counts(
    out: &mut impl Write,
    record: &RunRecord,
    sweep: &SweepRecord,
    classes: Option<usize>,
) -> io::Result<()> {
    let own = classes.map_or_else(String::new, |classes| {
        format!(" ({} with latencies of their own)", grouped(classes as u128))
    });
    let (pairs, networks) = (grouped(sweep.pairs.into()), grouped(sweep.networks.into()));
    match sweep.configurations {
        1 if classes.is_none() => writeln!(out, "{pairs} points")?,
        count => {
            let count = grouped(count.into());
            let text = format!("{pairs} pairs: {networks} networks x {count} accelerators{own}");
            writeln!(out, "{}", layout::result(&text, 2))?;
        }
    }
    if sweep.left_out > 0 {
        let left_out = grouped(sweep.left_out.into());
        writeln!(out, "left out: {left_out} networks that the table does not have")?;
    }
    for note in &sweep.notes {
        writeln!(out, "{}", layout::result(note, 2))?;
    }
    if sweep.notes.is_empty() && sweep.running < sweep.pairs {
        let missing = grouped((sweep.pairs - sweep.running).into());
        writeln!(out, "{missing} pairs cannot run: an operation does not fit the buffers")?;
    }
    for (metric, (low, high)) in &sweep.ranges {
        let label = if metric == "accuracy" && record.is_predicted() { " (predicted)" } else { "" };
        writeln!(out, "{metric}{label} from {} to {}", number(*low), number(*high))?;
    }
    Ok(())
}

/// Prints the number of points and of distinct parts on the frontier.
fn print_frontier_line(
    out: &mut impl Write,
    record: &RunRecord,
    sweep: &SweepRecord,
    frontier: &[&Trial],
) -> io::Result<()> {
    let objectives: Vec<String> = record.objectives.iter().map(ToString::to_string).collect();
    let mut parts: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    for (name, text) in frontier.iter().flat_map(|trial| &trial.text) {
        parts.entry(name).or_default().insert(text);
    }
    let kinds: Vec<String> =
        parts.iter().map(|(name, texts)| format!("{} {name}", texts.len())).collect();
    let text = format!(
        "Frontier ({}): {} points, {:.2e} of the space; different parts: {}",
        objectives.join(", "),
        grouped(frontier.len() as u128),
        frontier.len() as f64 / sweep.pairs as f64,
        kinds.join(", ")
    );
    writeln!(out, "\n{}", layout::result(&text, 2))
}

/// Prints at most `most` points of the frontier.
fn print_frontier(
    out: &mut impl Write,
    record: &RunRecord,
    frontier: &[&Trial],
    most: usize,
) -> io::Result<()> {
    let shown = spread(frontier, most);
    let mut points = people_table(record, &shown);
    // The reward of a point of the frontier is its accuracy where the experiment has none of its own.
    let plain = |trial: &&Trial| trial.outcome.reward() == trial.outcome.metric("accuracy");
    if shown.iter().all(plain) {
        points.take_out("reward");
    }
    write(out, record, &shown, points)?;
    if shown.len() < frontier.len() {
        let (some, all, run) = (shown.len(), frontier.len(), &record.name);
        let query = format!("tandem query 'phase == \"frontier\"' --run {run}");
        writeln!(out, "{some} of {all} points; all: {query}")?;
    }
    Ok(())
}

/// Prints at most `most` of the best pairs for each objective.
fn print_goals(
    out: &mut impl Write,
    record: &RunRecord,
    sweep: &SweepRecord,
    trials: &[Trial],
    most: usize,
) -> io::Result<()> {
    for (index, goal) in sweep.goals.iter().enumerate() {
        writeln!(out, "\n{}", layout::result(&format!("{}: {}", goal.name, goal.objective), 2))?;
        // Trials are in the order of their phases, and of their steps.
        let of = |phase: usize| trials.partition_point(|trial| (trial.phase as usize) < phase);
        let best: Vec<&Trial> = trials[of(index + 1)..of(index + 2)].iter().collect();
        if let Some((excess, step)) = goal.nearest {
            let text = format!(
                "no pair keeps the limits; the nearest of the frontier misses them by {} % in all (step {step})",
                number(100.0 * excess)
            );
            writeln!(out, "{}", layout::result(&text, 2))?;
            let nearest = trials.binary_search_by_key(&step, |trial| trial.step);
            let nearest: Vec<&Trial> = nearest.iter().map(|&place| &trials[place]).collect();
            print_trials(out, record, &nearest)?;
            continue;
        }
        let share = 100.0 * goal.valid as f64 / sweep.pairs as f64;
        let valid = grouped(goal.valid.into());
        writeln!(out, "{valid} pairs ({} %) keep the limits", number(share))?;
        let shown = &best[..best.len().min(SHOWN_BEST.min(most))];
        print_trials(out, record, shown)?;
        if shown.len() < best.len() {
            let (some, all) = (shown.len(), best.len());
            let name = &goal.name;
            let run = &record.name;
            writeln!(
                out,
                "the best {some} of {all}; all: tandem query 'phase == \"{name}\"' --run {run}"
            )?;
        }
    }
    Ok(())
}

fn print_speed(out: &mut impl Write, sweep: &SweepRecord) -> io::Result<()> {
    writeln!(
        out,
        "{} pairs in {:.1} s: {} pairs a second",
        grouped(sweep.pairs.into()),
        sweep.seconds,
        grouped((sweep.pairs as f64 / sweep.seconds.max(1e-9)) as u128)
    )
}

fn print_trials(out: &mut impl Write, record: &RunRecord, trials: &[&Trial]) -> io::Result<()> {
    write(out, record, trials, people_table(record, trials))
}

/// Writes a table of trials; drops metrics that are not objectives if it would be too wide.
fn write(
    out: &mut impl Write,
    record: &RunRecord,
    trials: &[&Trial],
    mut table: Table,
) -> io::Result<()> {
    let metrics = trials.first().into_iter().flat_map(|trial| trial.outcome.metrics().keys().rev());
    let is_objective = |name: &String| record.objectives.iter().any(|o| o.metric == *name);
    let others = metrics.filter(|name| !is_objective(name)).map(String::as_str);
    table.take_out_for(layout::width(), others);
    table.write_within(layout::width(), out)
}

/// A table of trials, without the column `valid` if all are valid.
fn people_table(record: &RunRecord, trials: &[&Trial]) -> Table {
    let mut table = table(record, trials, record.is_predicted());
    if trials.iter().all(|trial| trial.outcome.is_valid()) {
        table.take_out("valid");
    }
    table
}

fn table(record: &RunRecord, trials: &[&Trial], predicted: bool) -> Table {
    let first = record.objectives.iter().map(|objective| objective.metric.clone());
    let columns = TrialColumns::new(trials.iter().copied(), first, false).labeled(predicted);
    let mut table = columns.table();
    for trial in trials {
        table.push(columns.row("", trial));
    }
    table
}
