//! The outcomes of a study as tables.

use std::io::{self, Write};

use super::verdict::ScenarioVerdict;
use tandem::metrics::Origin;
use tandem::report::{Format, Table, TableCell, grouped, number};
use tandem::study::statistics::{COVERAGE, Quartiles};
use tandem::study::{RewardReached, StrategyOutcome};

/// Prints the tables of each scenario for people.
pub fn print(judged: &[ScenarioVerdict], out: &mut impl Write) -> io::Result<()> {
    for judged in judged {
        writeln!(out, "\n{}: {}", judged.name, judged.reward)?;
        writeln!(out, "{}", known(judged))?;
        outcomes(judged).write(Format::Table, &mut *out)?;
        let differences = differences(judged);
        if !differences.is_empty() {
            writeln!(out)?;
            differences.write(Format::Table, &mut *out)?;
        }
    }
    writeln!(out)?;
    let mut origins: Vec<&Origin> = judged.iter().flat_map(|judged| &judged.origins).collect();
    origins.sort();
    origins.dedup();
    origins.into_iter().try_for_each(|origin| writeln!(out, "{origin}"))
}

/// The best reward that the runs of a scenario are compared with, in a sentence.
pub fn known(judged: &ScenarioVerdict) -> String {
    let label = if judged.predicted { ", with predicted accuracies" } else { "" };
    match (&judged.exact, judged.outcomes.best_known) {
        (Some(exact), Some(best)) => {
            let last = exact.target.last().map_or_else(String::new, number);
            let (pairs, place) = (grouped(exact.valid.into()), exact.target.len());
            format!(
                "best of all {pairs} pairs within the limits: {}; number {place}: {last} (sweep {}{label})",
                number(best),
                exact.sweep
            )
        }
        (None, Some(best)) => format!("best of any run{label}: {}", number(best)),
        (_, None) => "no run has found a pair within the limits".to_owned(),
    }
}

/// The outcomes of a scenario for people, a row for each strategy.
pub fn outcomes(judged: &ScenarioVerdict) -> Table {
    let exact = judged.exact.as_ref();
    let top = exact.map_or(0, |exact| exact.target.len());
    let mut columns: Vec<String> = vec!["strategy".into(), "runs".into(), "within limits".into()];
    columns.push("best reward: median (quartiles)".into());
    if exact.is_some() {
        columns.extend(["gap to best".into(), format!("gap to number {top}")]);
        columns.extend([format!("in the best {top} at step"), format!("found of {top}")]);
    }
    let share = |share: &f64| format!("steps to {} %", number(100.0 * share));
    columns.extend(judged.fractions.iter().map(share));
    let mut table = Table::new(columns);
    for outcome in &judged.outcomes.strategies {
        let StrategyOutcome { strategy, runs, valid_runs, best, .. } = outcome;
        let mut row: Vec<TableCell> = vec![strategy.as_str().into(), (*runs).into()];
        row.push(
            format!("{valid_runs} ({} %)", number(100.0 * *valid_runs as f64 / *runs as f64))
                .into(),
        );
        row.push(spread(*best).into());
        if exact.is_some() {
            row.push(outcome.gap.and_then(|gap| finite(gap.median)).into());
            row.push(outcome.gap_to_last.and_then(|gap| finite(gap.median)).into());
            row.push(outcome.among_best.as_ref().map(|among| steps(among, *runs)).into());
            row.push(outcome.found.map(spread).into());
        }
        row.extend(outcome.reached.iter().map(|reached| TableCell::from(steps(reached, *runs))));
        row.resize(table_width(judged), TableCell::Empty);
        table.push(row);
    }
    table
}

fn table_width(judged: &ScenarioVerdict) -> usize {
    4 + if judged.exact.is_some() { 4 } else { 0 } + judged.fractions.len()
}

/// The median steps, with the number of runs that get there if not all do.
fn steps(reached: &RewardReached, runs: u64) -> String {
    let median = finite(reached.steps.median).map_or_else(|| "never".to_owned(), number);
    if reached.runs == runs { median } else { format!("{median} ({} of {runs})", reached.runs) }
}

fn spread(quartiles: Quartiles) -> String {
    let shown = |value: f64| finite(value).map_or_else(|| "none".to_owned(), number);
    let Quartiles { low, median, high } = quartiles;
    if low == high {
        shown(median)
    } else {
        format!("{} ({} to {})", shown(median), shown(low), shown(high))
    }
}

/// The differences of each pair of strategies of a scenario.
pub fn differences(judged: &ScenarioVerdict) -> Table {
    let interval = format!("{} % interval", number(100.0 * COVERAGE));
    let mut table = Table::new(["strategies", "difference of medians", &interval, "first ahead"]);
    for difference in &judged.outcomes.differences {
        let best = difference.best;
        table.push(vec![
            format!("{} - {}", difference.a, difference.b).into(),
            best.map(|best| best.difference).into(),
            best.map(|best| format!("{} to {}", number(best.low), number(best.high))).into(),
            format!("{} %", number(100.0 * difference.superiority)).into(),
        ]);
    }
    table
}

/// The outcomes of all scenarios in one table for programs.
pub fn flat(judged: &[ScenarioVerdict]) -> Table {
    let columns = [
        "scenario",
        "strategy",
        "runs",
        "valid_runs",
        "best_low",
        "best_median",
        "best_high",
        "best_known",
        "gap_median",
        "gap_to_last_median",
        "top",
        "top_runs",
        "top_steps_median",
        "top_found_median",
    ];
    let fractions = judged.first().map_or(&[][..], |judged| &judged.fractions);
    let reach = fractions.iter().flat_map(|f| [format!("steps_to_{f}"), format!("runs_to_{f}")]);
    let columns: Vec<String> = columns.map(str::to_owned).into_iter().chain(reach).collect();
    let width = columns.len();
    let mut table = Table::new(columns);
    for judged in judged {
        let top = judged.exact.as_ref().map(|exact| exact.target.len() as u64);
        for outcome in &judged.outcomes.strategies {
            let among = outcome.among_best.as_ref();
            let mut row: Vec<TableCell> = vec![
                judged.name.as_str().into(),
                outcome.strategy.as_str().into(),
                outcome.runs.into(),
                outcome.valid_runs.into(),
                finite(outcome.best.low).into(),
                finite(outcome.best.median).into(),
                finite(outcome.best.high).into(),
                judged.outcomes.best_known.into(),
                outcome.gap.and_then(|gap| finite(gap.median)).into(),
                outcome.gap_to_last.and_then(|gap| finite(gap.median)).into(),
                top.into(),
                among.map(|among| among.runs).into(),
                among.and_then(|among| finite(among.steps.median)).into(),
                outcome.found.map(|found| found.median).into(),
            ];
            for reached in &outcome.reached {
                row.extend([finite(reached.steps.median).into(), reached.runs.into()]);
            }
            row.resize(width, TableCell::Empty);
            table.push(row);
        }
    }
    table
}

/// The runs of a scenario, each with its best pair.
pub fn runs(judged: &ScenarioVerdict) -> Table {
    let label = |metric: &String| match metric.as_str() {
        "accuracy" if judged.predicted => "accuracy (predicted)".to_owned(),
        _ => metric.clone(),
    };
    let mut columns: Vec<String> =
        ["strategy", "run", "trials", "valid", "best reward", "at step"].map(str::to_owned).into();
    let metrics = judged.objectives.iter().map(|objective| &objective.metric);
    columns.extend(metrics.clone().map(label));
    if judged.exact.is_some() {
        columns.extend(["gap to best".to_owned(), "found of the best".to_owned()]);
    }
    let mut table = Table::new(columns);
    for (strategy, courses) in &judged.strategies {
        for (course, repeat) in courses.iter().zip(1u64..) {
            let best = course.best();
            let mut row: Vec<TableCell> = vec![
                strategy.as_str().into(),
                repeat.into(),
                course.trials.into(),
                course.valid.into(),
                best.map(|best| best.reward).into(),
                best.map(|best| best.step).into(),
            ];
            let metric = |name: &String| best.and_then(|best| best.metrics.get(name).copied());
            row.extend(metrics.clone().map(|name| TableCell::from(metric(name))));
            if let Some(exact) = &judged.exact {
                let gap = exact.target.best().map(|top| top - course.score()).and_then(finite);
                row.extend([gap.into(), (course.found.len() as u64).into()]);
            }
            table.push(row);
        }
    }
    table
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
