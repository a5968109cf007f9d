//! Tables of the cost of a pair by layer and by part.

use std::collections::BTreeMap;
use std::io::Write;

use crate::cli::common::error::CliError;
use tandem::accel::{Breakdown, LayerCost};
use tandem::report::{Format, Table, TableCell};
use tandem::run::Failure;
use tandem::script::Traced;

/// The maximum number of operations shown without `--all`.
const SHOWN: usize = 20;

/// The metric of a layer's duration.
const LATENCY: &str = "latency_ms";

/// Returns the breakdown of an estimate.
pub fn of(traced: &Traced) -> Result<&Breakdown, CliError> {
    let failed = |error: &Failure| CliError::Experiment { rendered: format!("error: {error}") };
    traced.breakdown.as_ref().map_err(failed)
}

/// Prints the time by engine and bottleneck, the longest layers or all, and the parts.
pub fn print(out: &mut impl Write, breakdown: &Breakdown, all: bool) -> Result<(), CliError> {
    print_time(out, breakdown)?;
    if !breakdown.layers.is_empty() {
        let mut shown: Vec<&LayerCost> = breakdown.layers.iter().collect();
        if !all && shown.len() > SHOWN {
            let count = shown.len();
            shown.sort_by(|a, b| length(b).total_cmp(&length(a)));
            shown.truncate(SHOWN);
            writeln!(out, "\nThe {SHOWN} longest of {count} operations (--all shows every one)")?;
        } else {
            writeln!(out, "\nOperations")?;
        }
        layers(breakdown, &shown).write(Format::Table, &mut *out)?;
    }
    print_parts(out, breakdown)?;
    if let Some(note) = &breakdown.note {
        writeln!(out, "{note}")?;
    }
    Ok(())
}

/// Tabulates layers with their costs.
pub fn layers(breakdown: &Breakdown, shown: &[&LayerCost]) -> Table {
    let whole = latency_ms(breakdown);
    let has = |is: fn(&LayerCost) -> bool| breakdown.layers.iter().any(is);
    let (engine, start) = (has(|l| l.engine.is_some()), has(|l| l.start_ms.is_some()));
    let (latency, bound) = (has(|l| l.metrics.contains_key(LATENCY)), has(|l| l.bound.is_some()));
    let mut others: Vec<&String> =
        breakdown.layers.iter().flat_map(|layer| layer.metrics.keys()).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|name| *name != LATENCY);
    let head = |show: bool, name: &str| show.then(|| name.to_owned());
    let heads = [
        head(true, "operation"),
        head(engine, "engine"),
        head(start, "start_ms"),
        head(latency, "ms"),
        head(latency, "%"),
    ];
    let names = others.iter().map(|name| (*name).clone());
    let heads = heads.into_iter().flatten().chain(names).chain(head(bound, "bound by"));
    let mut table = Table::new(heads);
    for layer in shown {
        let cell = |show: bool, cell: TableCell| show.then_some(cell);
        let ms = layer.metrics.get(LATENCY).copied();
        let cells = [
            cell(true, layer.name.as_str().into()),
            cell(engine, layer.engine.clone().into()),
            cell(start, layer.start_ms.into()),
            cell(latency, ms.into()),
            cell(latency, ms.map(|ms| 100.0 * ms / whole).into()),
        ];
        let metrics = others.iter().map(|name| TableCell::from(layer.metrics.get(*name).copied()));
        let bound = cell(bound, layer.bound.clone().into());
        table.push(cells.into_iter().flatten().chain(metrics).chain(bound).collect());
    }
    table
}

fn length(layer: &LayerCost) -> f64 {
    layer.metrics.get(LATENCY).copied().unwrap_or(0.0)
}

/// The latency of the whole: the latest end of a layer, or without start times the sum of the durations.
fn latency_ms(breakdown: &Breakdown) -> f64 {
    let layers = &breakdown.layers;
    let ends: Option<Vec<f64>> =
        layers.iter().map(|layer| Some(layer.start_ms? + length(layer))).collect();
    ends.map_or_else(
        || layers.iter().map(length).sum(),
        |ends| ends.into_iter().fold(0.0, f64::max),
    )
}

/// Prints the time by engine and by bottleneck, where either is known.
fn print_time(out: &mut impl Write, breakdown: &Breakdown) -> Result<(), CliError> {
    let whole = latency_ms(breakdown);
    let told = |layer: &LayerCost| layer.engine.is_some() || layer.bound.is_some();
    if !(whole > 0.0 && breakdown.layers.iter().any(told)) {
        return Ok(());
    }
    let has_engines = breakdown.layers.iter().any(|layer| layer.engine.is_some());
    let mut spent: BTreeMap<(&str, &str), (f64, u64)> = BTreeMap::new();
    // The engines in the order in which they first run.
    let mut busy: Vec<(&str, f64)> = Vec::new();
    for layer in &breakdown.layers {
        let engine = layer.engine.as_deref().unwrap_or_default();
        let bound = layer.bound.as_deref().unwrap_or_default();
        let entry = spent.entry((engine, bound)).or_default();
        entry.0 += length(layer);
        entry.1 += 1;
        match busy.iter_mut().find(|(known, _)| *known == engine) {
            Some((_, ms)) => *ms += length(layer),
            None => busy.push((engine, length(layer))),
        }
    }
    let what = if has_engines {
        "What the engines spend their time on"
    } else {
        "What the time is spent on"
    };
    writeln!(out, "\n{what}, in % of the latency")?;
    let heads = ["engine", "bound by", "operations", "ms", "%"];
    let first = usize::from(!has_engines);
    let mut table = Table::new(heads.into_iter().skip(first));
    let mut row = |cells: [TableCell; 5]| table.push(cells.into_iter().skip(first).collect());
    let mut spent: Vec<_> = spent.into_iter().collect();
    spent.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    for ((engine, bound), (ms, count)) in spent {
        let share = 100.0 * ms / whole;
        row([engine.into(), bound.into(), count.into(), ms.into(), share.into()]);
    }
    for (engine, ms) in busy.into_iter().filter(|_| has_engines) {
        let idle = whole - ms;
        let share = 100.0 * idle / whole;
        row([engine.into(), "(idle)".into(), TableCell::Empty, idle.into(), share.into()]);
    }
    Ok(table.write(Format::Table, &mut *out)?)
}

/// Prints the parts of the accelerator, each with its share of the first metric.
fn print_parts(out: &mut impl Write, breakdown: &Breakdown) -> Result<(), CliError> {
    let Some((first, _)) = breakdown.parts.iter().find_map(|part| part.metrics.first()) else {
        return Ok(());
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in breakdown.parts.iter().flat_map(|part| &part.metrics) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let value = |part: &tandem::accel::PartCost, name: &str| {
        part.metrics.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    };
    let whole: f64 = breakdown.parts.iter().filter_map(|part| value(part, first)).sum();
    writeln!(out, "\nParts of the accelerator")?;
    let heads = ["part", first, "%"].into_iter().chain(names.iter().copied().skip(1));
    let mut table = Table::new(heads);
    for part in &breakdown.parts {
        let own = value(part, first);
        let cells =
            [part.name.as_str().into(), own.into(), own.map(|own| 100.0 * own / whole).into()];
        let rest = names.iter().skip(1).map(|name| TableCell::from(value(part, name)));
        table.push(cells.into_iter().chain(rest).collect());
    }
    Ok(table.write(Format::Table, &mut *out)?)
}
