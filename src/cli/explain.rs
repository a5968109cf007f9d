//! `tandem explain`: why a pair is where it is.

use std::io::{Write, stdout};
use std::process::ExitCode;

use crate::cli::common::breakdown;
use crate::cli::common::context::{Common, label_predicted};
use crate::cli::common::error::CliError;
use tandem::metrics::Metrics;
use tandem::pareto::{Direction, Objective};
use tandem::report::{Format, Table, TableCell};
use tandem::run::{Experiment, evaluate_finite};
use tandem::script::{Diagnostic, Source};
use tandem::session::Loaded;
use tandem::space::{Point, Space};
use tandem::store::{Entry, RunRecord, Trial};

/// Says why a stored pair is where it is: what each layer costs and what binds it, the area by part,
/// and what every single other option would change.
///
/// With --format csv, json or jsonl only the last is printed.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run or sweep.
    run: String,
    /// The step of the pair.
    step: u64,
    /// Shows every operation instead of the longest.
    #[arg(long)]
    all: bool,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let record = store.run(&args.run)?;
    let Entry { trial, .. } = store.entry(&record.name, args.step)?.ok_or_else(|| {
        CliError::usage(format!("run `{}` has no step {}", record.name, args.step))
    })?;
    let loaded = common.load_run(&record)?;
    require_evaluate(&loaded, &record)?;
    let space = loaded.script.space();
    let point = Point(trial.point.clone());
    space.check(&point).map_err(|illegal| {
        CliError::usage(format!("the space of {} has changed: {illegal}", record.file))
    })?;
    let (metrics, traced) =
        loaded.script.services().traced(|| evaluate_finite(&loaded.script, &point));
    let metrics = metrics.map_err(|failure| loaded.failure(&failure))?;
    let objectives = objectives(&record, &metrics);
    let mut out = stdout().lock();
    let others = others(&loaded, &point, &metrics, &objectives);
    if common.format != Format::Table {
        label_predicted(common, std::slice::from_ref(&record));
        others.write(common.format, &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let predicted = loaded.script.services().sources().contains(&Source::Predicted101);
    print_pair(&mut out, &record, &trial, &metrics, predicted)?;
    for estimate in &traced {
        if traced.len() > 1 {
            writeln!(out, "\nOn {}", estimate.accelerator)?;
        }
        breakdown::print(&mut out, breakdown::of(estimate)?, args.all)?;
    }
    writeln!(out, "\nWhat every single other option would change")?;
    others.write(Format::Table, &mut out)?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a pair that cannot be evaluated, such as one of a sweep without `evaluate`.
fn require_evaluate(loaded: &Loaded, record: &RunRecord) -> Result<(), CliError> {
    if record.sweep.is_none() || loaded.script.defines("evaluate") {
        return Ok(loaded.script.require("evaluate")?);
    }
    let name = &record.name;
    Err(CliError::Usage {
        message: format!(
            "the pairs of sweep `{name}` cannot be evaluated one by one to explain them"
        ),
        hint: Some(format!(
            "define `evaluate(point)` in its script, with the networks, accuracies and accelerator of \
             sweep(); `tandem show {name} STEP` shows what is stored of a pair"
        )),
    })
}

/// The objectives of a run; without any, all its metrics, accuracy maximized and the others minimized.
fn objectives(record: &RunRecord, metrics: &Metrics) -> Vec<Objective> {
    if !record.objectives.is_empty() {
        return record.objectives.clone();
    }
    let objective = |metric: &String| Objective {
        metric: metric.clone(),
        direction: if metric == "accuracy" { Direction::Max } else { Direction::Min },
    };
    metrics.keys().map(objective).collect()
}

fn print_pair(
    out: &mut impl Write,
    record: &RunRecord,
    trial: &Trial,
    metrics: &Metrics,
    predicted: bool,
) -> Result<(), CliError> {
    let mut table = Table::of_properties(Format::Table);
    table.push(vec!["pair".into(), format!("{}, step {}", record.name, trial.step).into()]);
    for (part, text) in &trial.text {
        table.push(vec![part.as_str().into(), text.as_str().into()]);
    }
    for (name, &value) in metrics {
        let label = if predicted && name == "accuracy" {
            format!("{name} (predicted)")
        } else {
            name.clone()
        };
        let changed = trial.outcome.metric(name).filter(|stored| *stored != value);
        table.push(vec![label.into(), value.into()]);
        if let Some(stored) = changed {
            table.push(vec![format!("{name}, stored").into(), stored.into()]);
        }
    }
    table.write(Format::Table, &mut *out)?;
    Ok(())
}

/// Tabulates the legal points that differ in one choice, with the changes of the objectives.
fn others(loaded: &Loaded, point: &Point, metrics: &Metrics, objectives: &[Objective]) -> Table {
    let space: &Space = loaded.script.space();
    let heads = objectives.iter().map(|o| format!("{} change", o.metric));
    let names = ["part", "choice", "now", "instead"].map(str::to_owned);
    let tail = ["verdict".to_owned(), "gives".to_owned()];
    let mut table = Table::new(names.into_iter().chain(heads).chain(tail));
    let texts = space.texts(point);
    let value = |metrics: &Metrics, name: &str| metrics.get(name).copied();
    for (place, (part, choice)) in space.choices().enumerate() {
        let now = usize::from(point.0[place]);
        for option in (0..choice.options.len()).filter(|&option| option != now) {
            let mut other = point.clone();
            other.0[place] = option as u16;
            // What the option leaves undecided goes with it.
            space.canonicalize(&mut other);
            if space.check(&other).is_err() {
                continue;
            }
            let other_texts = space.texts(&other);
            if other_texts == texts {
                continue;
            }
            let mut row: Vec<TableCell> = vec![
                part.name.as_str().into(),
                choice.name.as_str().into(),
                choice.options[now].to_string().into(),
                choice.options[option].to_string().into(),
            ];
            let index = space.parts().iter().position(|p| p.name == part.name).unwrap_or(0);
            let gives = TableCell::from(other_texts[index].as_str());
            match evaluate_finite(&loaded.script, &other) {
                Ok(changed) => {
                    let change = |o: &Objective| {
                        Some(value(&changed, &o.metric)? - value(metrics, &o.metric)?)
                    };
                    let changes: Vec<Option<f64>> = objectives.iter().map(change).collect();
                    let verdict = verdict(objectives, &changes);
                    row.extend(changes.into_iter().map(TableCell::from));
                    row.push(verdict.into());
                }
                Err(failure) => {
                    row.extend(objectives.iter().map(|_| TableCell::Empty));
                    let diagnostic = failure.cause::<Diagnostic>();
                    let message = diagnostic.map_or(failure.message(), |found| &found.message);
                    let message = message.to_owned();
                    row.push(message.into());
                }
            }
            row.push(gives);
            table.push(row);
        }
    }
    table
}

/// Classifies changes of objectives as `better`, `worse`, `trade` if there are both, or `same`.
fn verdict(objectives: &[Objective], changes: &[Option<f64>]) -> &'static str {
    let costs = || objectives.iter().zip(changes).filter_map(|(o, c)| c.map(|c| o.cost(c)));
    let (better, worse) = (costs().any(|cost| cost < 0.0), costs().any(|cost| cost > 0.0));
    match (better, worse) {
        (true, true) => "trade",
        (true, false) => "better",
        (false, true) => "worse",
        (false, false) => "same",
    }
}
