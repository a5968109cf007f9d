//! `tandem check`: a dry run.

use std::io::{Write, stdout};
use std::process::ExitCode;
use std::time::Instant;

use super::context::{Common, ExperimentArgs};
use super::error::CliError;
use crate::report::{Format, Table, grouped, number};
use crate::seed::stream;
use crate::store::Outcome;
use crate::study::{Experiment, Failure, Progress, evaluate_finite};

/// Points that are evaluated.
const POINTS: usize = 8;

/// Checks an experiment without running it: the space, a few points, the first phase, the cost.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    experiment: ExperimentArgs,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let loaded = common.load(&args.experiment.file, &args.experiment.set)?;
    let script = &loaded.script;
    let fail = |failure: Failure| loaded.failure(&failure);
    let sweeps = script.defines("sweep");
    let plan = if sweeps { Some(script.sweep_plan()?) } else { None };
    if !sweeps {
        script.require_run()?;
    }
    let runs = script.require_run().is_ok();
    let space = script.space();
    let seed = loaded.settings.seed.unwrap_or(0);
    let progress = Progress::new(script.objectives().to_vec(), seed);
    let phase = if runs { script.next_phase(&progress).map_err(fail)? } else { None };
    if let Some(phase) = &phase {
        phase.view(space).map_err(CliError::Study)?;
    }

    let trainer = script.host().trainer();
    let store = common.existing_store().ok();
    if let Some(store) = &store {
        loaded.keep_in(store);
    }
    trainer.dry_run();
    let mut rng = stream(seed, "check", 0);
    let mut metrics = None;
    let started = Instant::now();
    let points = if script.defines("evaluate") { POINTS } else { 0 };
    for _ in 0..points {
        let point = space
            .draw(&mut rng)
            .map_err(|error| CliError::Experiment { rendered: format!("error: {error}") })?;
        let left_out = trainer.left_out().len();
        let values = evaluate_finite(script, &point);
        if values.is_err() && trainer.left_out().len() > left_out {
            continue;
        }
        if let Some(phase) = &phase
            && let Outcome::Failed { reason, .. } = phase.judge(&values)
        {
            return Err(fail(Failure(reason)));
        }
        let values = values.map_err(fail)?;
        for objective in script.objectives() {
            if !values.contains_key(&objective.metric) {
                let known = values.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(CliError::Experiment {
                    rendered: format!(
                        "error: objectives() names `{}`, but evaluate(point) gives {known}",
                        objective.metric
                    ),
                });
            }
        }
        for threshold in script.thresholds() {
            threshold.check(&values).map_err(|error| CliError::Study(error.into()))?;
        }
        metrics = Some(values);
    }
    let left_out = trainer.left_out();
    let each_ms = match left_out.as_slice() {
        [] => started.elapsed().as_secs_f64() * 1e3 / POINTS as f64,
        left_out => {
            let seconds: f64 = left_out.iter().map(|training| training.seconds).sum();
            seconds * 1e3 / left_out.len() as f64
        }
    };

    let mut rows: Vec<(String, String)> = Vec::new();
    for part in space.parts() {
        let domain = &part.domain;
        rows.push((
            format!("part {}", part.name),
            format!(
                "{}: {} points, {} choices",
                domain.kind(),
                grouped(domain.count()),
                domain.choices().len()
            ),
        ));
    }
    for part in space.parts() {
        for (what, points) in part.domain.rules() {
            let points = points.map_or_else(|| "not counted".to_owned(), grouped);
            rows.push((format!("rule of {}", part.name), format!("{what}: {points} points")));
        }
    }
    let count = space.count().map_or_else(|| "more than 2^128".to_owned(), grouped);
    rows.push(("space".into(), format!("{count} points")));
    for (name, value) in loaded.args() {
        rows.push((format!("args.{name}"), value));
    }
    for (name, value) in metrics.iter().flatten() {
        rows.push((format!("metric {name}"), format!("{} at one point", number(*value))));
    }
    match &phase {
        Some(phase) => {
            let steps = phase.steps.unwrap_or(0);
            let text = format!(
                "{}: {} searches {}, {steps} trials at most",
                phase.name,
                phase.controller.name(),
                phase.search.join(", "),
            );
            rows.push(("first phase".into(), text));
            let at_once = if left_out.is_empty() { loaded.threads() as f64 } else { 1.0 };
            #[expect(clippy::cast_precision_loss, reason = "an estimate for people")]
            let seconds = each_ms * 1e-3 * steps as f64 / at_once;
            rows.push(("evaluation".into(), format!("{} ms a point", number(each_ms))));
            rows.push(("first phase takes".into(), format!("about {} s", number(seconds))));
            if let Some(most) = left_out.iter().map(|training| training.bytes).max() {
                let trained = left_out.len();
                let text = format!(
                    "{trained} of {points} points need one, up to {} MB of memory; left out here",
                    most / 1_000_000
                );
                rows.push(("training".into(), text));
            }
        }
        None if runs => {
            rows.push(("first phase".into(), "none: the schedule ends at once".into()));
        }
        None => {}
    }
    rows.extend(script.thresholds().iter().map(|t| ("threshold".into(), t.to_string())));
    for goal in plan.iter().flat_map(|plan| &plan.goals) {
        rows.push((format!("objective {}", goal.name()), goal.weighted().to_string()));
    }
    for source in script.host().sources() {
        let (what, trust) = source.describe();
        rows.push((trust.to_string(), what.to_owned()));
    }
    let mut table = Table::of_properties(common.format);
    for (name, value) in rows {
        table.push(vec![name.into(), value.into()]);
    }
    table.write(common.format, stdout().lock())?;
    if common.format == Format::Table {
        let what = match (runs, sweeps) {
            (true, true) => "run and to sweep",
            (false, true) => "sweep",
            (_, false) => "run",
        };
        writeln!(stdout(), "\n{} is ready to {what}", args.experiment.file.display())?;
    }
    Ok(ExitCode::SUCCESS)
}
