//! `tandem train-predictor`: trains the predictor of NASBench-101 accuracies.

use std::io::stdout;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::accuracy::nasbench101::Nasbench101Table;
use tandem::accuracy::nasbench101::predictor::{Predictor, PredictorRecipe, Quality, split, train};
use tandem::note;
use tandem::report::Table;
use tandem::util::atomic_file::write_whole;

/// The share of the held-out cells, from the most accurate down, that is judged separately.
const TOP: f64 = 0.1;

/// Trains the predictor of NASBench-101 accuracies on a share of the imported table, and says how
/// well it does on the rest.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the trained predictor is written [default: nowhere]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Judges this predictor instead of training one.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    judge: Option<PathBuf>,
    /// The share of the cells to train on.
    #[arg(long, default_value_t = PredictorRecipe::default().share)]
    share: f64,
    /// The seed of the share, the first weights and the order of the cells.
    #[arg(long, default_value_t = PredictorRecipe::default().seed)]
    seed: u64,
    /// Passes over the training cells.
    #[arg(long, default_value_t = PredictorRecipe::default().epochs)]
    epochs: usize,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    if !(args.share > 0.0 && args.share < 1.0) {
        return Err(CliError::usage(format!(
            "--share is {}; it must be between 0 and 1, as the rest is for judging",
            args.share
        )));
    }
    let failed = |error: String| CliError::Experiment { rendered: format!("error: {error}") };
    let table =
        Nasbench101Table::open(&common.data_dir(None)).map_err(|e| failed(e.to_string()))?;
    let recipe = PredictorRecipe {
        share: args.share,
        seed: args.seed,
        epochs: args.epochs,
        ..PredictorRecipe::default()
    };
    let predictor = if let Some(path) = &args.judge {
        let bytes = std::fs::read(path)
            .map_err(|error| failed(format!("cannot read {}: {error}", path.display())))?;
        Predictor::decode(&bytes).map_err(|error| failed(error.to_string()))?
    } else {
        let started = Instant::now();
        train(&table, &recipe, |epoch, error| {
            let seconds = started.elapsed().as_secs_f64();
            note!("epoch {epoch}/{}: squared error {error:.4}, {seconds:.0} s", recipe.epochs);
        })
        .map_err(|error| failed(error.to_string()))?
    };
    if let Some(path) = &args.out {
        write_whole(path, &predictor.encode())
            .map_err(|error| failed(format!("cannot write {}: {error}", path.display())))?;
    }

    let (_, held_out) = split(table.len(), recipe.share, recipe.seed);
    let cells: Vec<_> = held_out.iter().map(|&row| table.cells()[row]).collect();
    let predicted = predictor.accuracies(&cells);
    let truth: Vec<f64> = cells.iter().filter_map(|cell| table.accuracy(cell)).collect();
    let mut order: Vec<usize> = (0..truth.len()).collect();
    order.sort_by(|&a, &b| truth[b].total_cmp(&truth[a]));
    order.truncate((TOP * truth.len() as f64).round() as usize);
    let of = |values: &[f64]| order.iter().map(|&index| values[index]).collect::<Vec<f64>>();

    let mut rows =
        Table::new(["held-out cells", "count", "Kendall tau", "Spearman", "mean absolute error"]);
    for (name, quality) in [
        ("all", Quality::new(&predicted, &truth)),
        ("most accurate 10 %", Quality::new(&of(&predicted), &of(&truth))),
    ] {
        rows.push(vec![
            name.into(),
            (quality.count as u64).into(),
            quality.kendall_tau.into(),
            quality.spearman.into(),
            quality.mean_absolute_error.into(),
        ]);
    }
    rows.write(common.format, stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}
