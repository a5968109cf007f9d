//! What a finished sweep prints.

use std::collections::BTreeSet;
use std::io::{Write, stdout};

use super::context::{Common, label_predicted};
use super::error::CliError;
use crate::pareto::{Frontier, costs};
use crate::report::{Format, TrialColumns, grouped, number, spread};
use crate::store::{RunRecord, Store, SweepRecord, Trial};

/// Points of the frontier that are printed for people; the rest is a query away.
const SHOWN: usize = 16;

/// Best pairs of an objective that are printed for people.
const SHOWN_BEST: usize = 5;

/// Prints the frontier, the best pairs and the counts of a sweep.
///
/// In formats for other programs the frontier is printed, all of it and nothing else.
pub fn print(
    common: &Common,
    store: &Store,
    record: &RunRecord,
    classes: Option<usize>,
) -> Result<(), CliError> {
    let mut out = stdout().lock();
    let sweep = record.sweep.clone().unwrap_or_default();
    let trials: Vec<Trial> = store.trials(&record.name)?.collect::<Result<_, _>>()?;
    let frontier = frontier(record, &trials);
    let first: Vec<String> = record.objectives.iter().map(|o| o.metric.clone()).collect();
    if common.format != Format::Table {
        label_predicted(common, std::slice::from_ref(record));
        return print_trials(common.format, &frontier, first, false, &mut out);
    }
    let own = classes.map_or_else(String::new, |classes| {
        format!(" ({} with latencies of their own)", grouped(classes as u128))
    });
    let (pairs, networks) = (grouped(sweep.pairs.into()), grouped(sweep.networks.into()));
    match sweep.configurations {
        1 if classes.is_none() => writeln!(out, "{pairs} points")?,
        count => {
            let count = grouped(count.into());
            writeln!(out, "{pairs} pairs: {networks} networks x {count} accelerators{own}")?;
        }
    }
    if sweep.left_out > 0 {
        let left_out = grouped(sweep.left_out.into());
        writeln!(out, "left out: {left_out} networks that the table does not have")?;
    }
    for note in &sweep.notes {
        writeln!(out, "{note}")?;
    }
    if sweep.notes.is_empty() && sweep.running < sweep.pairs {
        let missing = grouped((sweep.pairs - sweep.running).into());
        writeln!(out, "{missing} pairs cannot run: an operation does not fit the buffers")?;
    }
    for (metric, (low, high)) in &sweep.ranges {
        let label = if metric == "accuracy" && record.is_predicted() { " (predicted)" } else { "" };
        writeln!(out, "{metric}{label} from {} to {}", number(*low), number(*high))?;
    }

    let objectives: Vec<String> = record.objectives.iter().map(ToString::to_string).collect();
    let parts = |name: &str| {
        let texts = frontier.iter().filter_map(|trial| trial.text.get(name));
        texts.collect::<BTreeSet<_>>().len()
    };
    let names: BTreeSet<&String> = frontier.iter().flat_map(|trial| trial.text.keys()).collect();
    let kinds: Vec<String> = names.iter().map(|name| format!("{} {name}", parts(name))).collect();
    writeln!(
        out,
        "\nFrontier ({}): {} points, {:.2e} of the space; different parts: {}",
        objectives.join(", "),
        grouped(frontier.len() as u128),
        frontier.len() as f64 / sweep.pairs as f64,
        kinds.join(", ")
    )?;
    let shown = spread(&frontier, SHOWN);
    print_trials(Format::Table, &shown, first.clone(), record.is_predicted(), &mut out)?;
    if shown.len() < frontier.len() {
        writeln!(
            out,
            "{} of {} points; all: tandem query 'phase == \"frontier\"' --run {}",
            shown.len(),
            frontier.len(),
            record.name
        )?;
    }
    print_goals(&mut out, record, &sweep, &trials, first)?;
    writeln!(out)?;
    for origin in &record.origins {
        writeln!(out, "{origin}")?;
    }
    writeln!(
        out,
        "{} pairs in {:.1} s: {} pairs a second",
        grouped(sweep.pairs.into()),
        sweep.seconds,
        grouped((sweep.pairs as f64 / sweep.seconds.max(1e-9)) as u128)
    )?;
    Ok(())
}

fn print_goals(
    out: &mut impl Write,
    record: &RunRecord,
    sweep: &SweepRecord,
    trials: &[Trial],
    first: Vec<String>,
) -> Result<(), CliError> {
    for (index, goal) in sweep.goals.iter().enumerate() {
        writeln!(out, "\n{}: {}", goal.name, goal.objective)?;
        let best: Vec<&Trial> =
            trials.iter().filter(|trial| trial.phase as usize == index + 1).collect();
        if let Some((excess, step)) = goal.nearest {
            writeln!(
                out,
                "no pair keeps the limits; the nearest of the frontier misses them by {} % in all (step {step})",
                number(100.0 * excess)
            )?;
            let nearest: Vec<&Trial> = trials.iter().filter(|trial| trial.step == step).collect();
            print_trials(Format::Table, &nearest, first.clone(), record.is_predicted(), out)?;
            continue;
        }
        let share = 100.0 * goal.valid as f64 / sweep.pairs as f64;
        let valid = grouped(goal.valid.into());
        writeln!(out, "{valid} pairs ({} %) keep the limits", number(share))?;
        let shown = &best[..best.len().min(SHOWN_BEST)];
        print_trials(Format::Table, shown, first.clone(), record.is_predicted(), out)?;
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

/// The trials of a sweep that are not dominated in the objectives of its experiment, in the order of
/// the sweep.
///
/// Whatever is on the frontier of metrics that never get worse when accuracy rises or latency or area
/// falls is on the sweep's frontier.
pub fn frontier<'t>(record: &RunRecord, trials: &'t [Trial]) -> Vec<&'t Trial> {
    let count = record.sweep.as_ref().map_or(0, |sweep| sweep.frontier as usize);
    let mut frontier: Frontier<&Trial> = Frontier::new();
    for trial in &trials[..count.min(trials.len())] {
        if let Ok(costs) = costs(&record.objectives, trial.outcome.metrics()) {
            frontier.offer(costs, trial);
        }
    }
    let mut members: Vec<&Trial> = frontier.members().iter().map(|member| member.1).collect();
    members.sort_by_key(|trial| trial.step);
    members
}

fn print_trials(
    format: Format,
    trials: &[&Trial],
    first: Vec<String>,
    predicted: bool,
    out: &mut impl Write,
) -> Result<(), CliError> {
    let columns = TrialColumns::new(trials.iter().copied(), first, false).labelled(predicted);
    let mut table = columns.table();
    for trial in trials {
        table.push(columns.row("", trial));
    }
    Ok(table.write(format, out)?)
}
