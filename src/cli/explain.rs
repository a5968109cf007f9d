//! `tandem explain`: why a pair is where it is.

use std::collections::BTreeMap;
use std::io::{Write, stdout};
use std::process::ExitCode;

use super::context::{Common, Loaded, label_predicted, stored_experiment};
use super::error::CliError;
use crate::accel::chaidnn::{Area, Engine, Row};
use crate::pareto::{Direction, Objective};
use crate::report::{Cell, Format, Table};
use crate::script::{Source, Traced};
use crate::space::{Point, Space};
use crate::store::{Entry, RunRecord, Trial};
use crate::study::{Experiment, Metrics, evaluate_finite};

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

/// Operations that are shown without --all.
const SHOWN: usize = 20;

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let record = store.run(&args.run)?;
    let Entry { trial, .. } = store.entry(&record.name, args.step)?.ok_or_else(|| {
        CliError::usage(format!("run `{}` has no step {}", record.name, args.step))
    })?;
    let loaded = stored_experiment(common, &record)?;
    loaded.script.require("evaluate")?;
    let space = loaded.script.space();
    let point = Point(trial.point.clone());
    space.check(&point).map_err(|illegal| {
        CliError::usage(format!("the space of {} has changed: {illegal}", record.file))
    })?;
    let (metrics, traced) = loaded.script.host().traced(|| evaluate_finite(&loaded.script, &point));
    let metrics = metrics.map_err(|failure| loaded.failure(&failure))?;
    let objectives = objectives(&record, &metrics);
    let mut out = stdout().lock();
    let others = others(&loaded, &point, &metrics, &objectives);
    if common.format != Format::Table {
        label_predicted(common, std::slice::from_ref(&record));
        others.write(common.format, &mut out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let predicted = loaded.script.host().sources().contains(&Source::Predicted101);
    print_pair(&mut out, &record, &trial, &metrics, predicted)?;
    for traced in &traced {
        print_layers(&mut out, traced, args.all)?;
        print_area(&mut out, traced)?;
    }
    writeln!(out, "\nWhat every single other option would change")?;
    others.write(Format::Table, &mut out)?;
    Ok(ExitCode::SUCCESS)
}

/// The objectives of a run, or else what is customarily wanted of its metrics.
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

fn print_layers(out: &mut impl Write, traced: &Traced, all: bool) -> Result<(), CliError> {
    let failed = |error: String| CliError::Experiment { rendered: format!("error: {error}") };
    let program = traced.program().map_err(failed)?;
    let rows = program
        .breakdown(&traced.configuration, &traced.platform)
        .map_err(|error| failed(error.to_string()))?;
    let latency_ms = rows.iter().map(|row| row.end_ms).fold(0.0, f64::max);
    let length = |row: &Row| row.end_ms - row.start_ms;

    writeln!(out, "\nWhat the engines spend their time on, in % of the latency")?;
    let mut spent: BTreeMap<(String, String), (f64, u64)> = BTreeMap::new();
    let mut busy: BTreeMap<String, f64> = BTreeMap::new();
    for row in &rows {
        let entry = spent.entry((row.engine.to_string(), row.bound.to_string())).or_default();
        entry.0 += length(row);
        entry.1 += 1;
        *busy.entry(row.engine.to_string()).or_default() += length(row);
    }
    let mut table = Table::new(["engine", "bound by", "operations", "ms", "%"]);
    let mut spent: Vec<_> = spent.into_iter().collect();
    spent.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for ((engine, bound), (ms, count)) in spent {
        let share = 100.0 * ms / latency_ms;
        table.push(vec![engine.into(), bound.into(), count.into(), ms.into(), share.into()]);
    }
    for engine in [Engine::Convolution, Engine::Pointwise, Engine::Pool] {
        if let Some(ms) = busy.get(&engine.to_string()) {
            let idle = latency_ms - ms;
            let share = 100.0 * idle / latency_ms;
            let row = vec![engine.to_string().into(), "(idle)".into(), Cell::Empty, idle.into()];
            table.push([row, vec![share.into()]].concat());
        }
    }
    table.write(Format::Table, &mut *out)?;

    let mut shown: Vec<&Row> = rows.iter().collect();
    if !all && rows.len() > SHOWN {
        shown.sort_by(|a, b| length(b).total_cmp(&length(a)));
        shown.truncate(SHOWN);
        writeln!(
            out,
            "\nThe {SHOWN} longest of {} operations (--all shows every one)",
            rows.len()
        )?;
    } else {
        writeln!(out, "\nOperations")?;
    }
    let mut table = Table::new(["operation", "engine", "start_ms", "ms", "%", "bound by"]);
    for row in shown {
        table.push(vec![
            row.name.as_str().into(),
            row.engine.to_string().into(),
            row.start_ms.into(),
            length(row).into(),
            (100.0 * length(row) / latency_ms).into(),
            row.bound.to_string().into(),
        ]);
    }
    Ok(table.write(Format::Table, &mut *out)?)
}

fn print_area(out: &mut impl Write, traced: &Traced) -> Result<(), CliError> {
    writeln!(out, "\nArea")?;
    let whole = Area::of(&traced.configuration, &traced.platform);
    let mut table = Table::new(["part", "mm2", "%", "LUT", "BRAM36", "DSP"]);
    for part in Area::parts(&traced.configuration, &traced.platform) {
        let share = 100.0 * part.area_mm2 / whole.area_mm2;
        let blocks = part.blocks;
        let numbers = [part.area_mm2, share, blocks.lut, blocks.bram36, blocks.dsp];
        table.push(std::iter::once(part.name.into()).chain(numbers.map(Cell::from)).collect());
    }
    table.write(Format::Table, &mut *out)?;
    let fits = if whole.fits { "fits" } else { "does not fit" };
    writeln!(out, "it {fits} a ZU9EG (34,260 CLB, 912 BRAM36, 2,520 DSP)")?;
    Ok(())
}

/// What each legal point that differs in one choice gives.
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
            space.settle(&mut other);
            if space.check(&other).is_err() {
                continue;
            }
            let other_texts = space.texts(&other);
            if other_texts == texts {
                continue;
            }
            let mut row: Vec<Cell> = vec![
                part.name.as_str().into(),
                choice.name.as_str().into(),
                choice.options[now].to_string().into(),
                choice.options[option].to_string().into(),
            ];
            let index = space.parts().iter().position(|p| p.name == part.name).unwrap_or(0);
            let gives = Cell::from(other_texts[index].as_str());
            match evaluate_finite(&loaded.script, &other) {
                Ok(changed) => {
                    let change = |o: &Objective| {
                        Some(value(&changed, &o.metric)? - value(metrics, &o.metric)?)
                    };
                    let changes: Vec<Option<f64>> = objectives.iter().map(change).collect();
                    let verdict = verdict(objectives, &changes);
                    row.extend(changes.into_iter().map(Cell::from));
                    row.push(verdict.into());
                }
                Err(failure) => {
                    row.extend(objectives.iter().map(|_| Cell::Empty));
                    row.push(failure.to_string().into());
                }
            }
            row.push(gives);
            table.push(row);
        }
    }
    table
}

/// Whether changes are for the better in every objective, for the worse, neither or a trade.
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
