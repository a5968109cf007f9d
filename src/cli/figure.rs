//! `tandem figure`: draws frontiers.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use crate::cli::common::output::{names, print_json};
use tandem::note;
use tandem::pareto::{Frontier, costs};
use tandem::query::select;
use tandem::report::{Axes, Series, figure};
use tandem::store::{Outcome, Reader, RunRecord, Trial};
use tandem::util::atomic_file::write_whole;

/// Draws the frontiers of runs and sweeps as SVG: accuracy against latency, with area as color.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The runs and sweeps; the first with circles, the others with triangles.
    #[arg(required = true)]
    runs: Vec<String>,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The metric along the horizontal, logarithmic axis.
    #[arg(long, default_value = "latency_ms")]
    x: String,
    /// The metric along the vertical axis.
    #[arg(long, default_value = "accuracy")]
    y: String,
    /// The metric shown as color.
    // Not `color`: that is the global option for messages.
    #[arg(id = "colour", long = "colour", value_name = "COLOUR", default_value = "area_mm2")]
    colored_by: String,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let runs = select(store.as_ref(), &args.runs)?;
    let axes = Axes { x: args.x.clone(), y: args.y.clone(), color: args.colored_by.clone() };
    let series = runs
        .iter()
        .map(|run| {
            Ok(Series { name: run.name.clone(), points: points(store.as_ref(), run, &axes)? })
        })
        .collect::<Result<Vec<_>, CliError>>()?;
    let predicted = axes.y == "accuracy" && runs.iter().any(RunRecord::is_predicted);
    let title = format!("Frontier of {}", args.runs.join(", "));
    let text = figure(&title, &axes, if predicted { "predicted" } else { "" }, &series)
        .map_err(|error| CliError::usage(error.to_string()))?;
    write_whole(&args.out, text.as_bytes())
        .map_err(|source| CliError::File { path: args.out.clone(), source })?;
    note!("wrote {}", args.out.display());
    if common.json {
        print_json(&json!({ "written": names([args.out.as_path()]) }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The frontier of a run in its objectives.
fn points(store: &dyn Reader, run: &RunRecord, axes: &Axes) -> Result<Vec<[f64; 3]>, CliError> {
    let mut frontier: Frontier<[f64; 3]> = Frontier::new();
    for trial in store.trials(&run.name)? {
        let trial: Trial = trial?;
        let Outcome::Done { metrics, .. } = &trial.outcome else { continue };
        let metric = |name: &String| {
            metrics.get(name).copied().ok_or_else(|| CliError::Usage {
                message: format!("step {} of `{}` has no metric `{name}`", trial.step, run.name),
                hint: Some(format!(
                    "its metrics are {}",
                    metrics.keys().cloned().collect::<Vec<_>>().join(", ")
                )),
            })
        };
        let point = [metric(&axes.x)?, metric(&axes.y)?, metric(&axes.color)?];
        if let Ok(costs) = costs(&run.objectives, metrics) {
            frontier.offer(costs, point);
        }
    }
    Ok(frontier.into_members().map(|(_, point)| point).collect())
}
