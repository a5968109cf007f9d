//! `tandem train`: trains one network, outside a search.

use std::fs;
use std::io::{Write, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::trainings::{curve_table, push_curve};
use crate::cli::common::context::{Common, PairArgs};
use crate::cli::common::error::CliError;
use crate::cli::common::interrupt::stop_of;
use tandem::accuracy::training_cache::TrainingRecord;
use tandem::note;
use tandem::report::{Format, Table, TrainingBar};
use tandem::run::Experiment;
use tandem::script::TrainingPlan;
use tandem::session::Loaded;
use tandem::space::Point;
use tandem::train::{Model, TrainError};
use tandem::util::atomic_file::{
    Replacement, create_folder_like_folder, restrict_like_folder, write_whole,
};

/// Trains one network of an experiment, as its `training(point)` says, and keeps its weights.
///
/// A training that is interrupted goes on where it was when the command is given again; one that is
/// done is remembered. Weights are safetensors, with PyTorch's names and shapes.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    pair: PairArgs,
    /// How many seeds, one after another [default: what the script says]
    #[arg(long)]
    seeds: Option<u64>,
    /// Also writes the weights here; of several seeds with the seed in the name.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let loaded = common.load(&args.pair.experiment.file, &args.pair.experiment.set)?;
    loaded.script.require("training")?;
    let point = loaded.point(&args.pair.at)?;
    let mut plan = loaded.script.training(&point).map_err(|failure| loaded.failure(&failure))?;
    plan.seeds = args.seeds.unwrap_or(plan.seeds).max(1);
    let store = common.store()?;
    loaded.keep_in(&store);
    stop_of(&loaded);
    let bar = TrainingBar::new();
    loaded.script.services().trainer().observe(move |event| bar.observe(event));

    let mut records = Vec::new();
    for seed in plan.seeds() {
        match train(&loaded, &plan, seed, &store.path().join("weights")) {
            Err(CliError::Train(TrainError::Interrupted)) => {
                note!("interrupted; the same command goes on");
                return Ok(ExitCode::from(130));
            }
            result => {
                let (record, weights) = result?;
                if let Some(out) = &args.out {
                    let out = if plan.seeds > 1 { with_seed(out, seed) } else { out.clone() };
                    copy(&weights, &out)?;
                }
                records.push((record, weights));
            }
        }
    }
    print(common, &loaded, &point, &plan, &records)?;
    Ok(ExitCode::SUCCESS)
}

/// Trains with a seed unless record and weights are stored; returns the record and the path of the weights.
fn train(
    loaded: &Loaded,
    plan: &TrainingPlan,
    seed: u64,
    folder: &Path,
) -> Result<(TrainingRecord, PathBuf), CliError> {
    let trainer = loaded.script.services().trainer();
    let TrainingPlan { data, recipe, .. } = plan;
    let key = trainer.key(plan.network(), data, recipe, seed)?;
    let weights = folder.join(format!("{key}.safetensors"));
    if weights.is_file() {
        return Ok((trainer.train(plan.network(), data, recipe, seed)?.0, weights));
    }
    let (record, model) = trainer.train_model(plan.network(), data, recipe, seed)?;
    save(&model, &weights)?;
    Ok((record, weights))
}

fn save(model: &Model, path: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent()
        && !folder.is_dir()
    {
        create_folder_like_folder(folder).map_err(failed)?;
    }
    let file = Replacement::at(path).map_err(failed)?;
    model.save(file.beside())?;
    restrict_like_folder(file.beside()).map_err(failed)?;
    file.keep().map_err(failed)
}

fn copy(from: &Path, to: &Path) -> Result<(), CliError> {
    let bytes =
        fs::read(from).map_err(|source| CliError::File { path: from.to_owned(), source })?;
    write_whole(to, &bytes).map_err(|source| CliError::File { path: to.to_owned(), source })
}

fn with_seed(path: &Path, seed: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = format!("{stem}-{seed}");
    if let Some(extension) = path.extension() {
        name += &format!(".{}", extension.to_string_lossy());
    }
    path.with_file_name(name)
}

fn print(
    common: &Common,
    loaded: &Loaded,
    point: &Point,
    plan: &TrainingPlan,
    records: &[(TrainingRecord, PathBuf)],
) -> Result<(), CliError> {
    let mut out = stdout().lock();
    let mut curves = curve_table();
    records.iter().for_each(|(record, _)| push_curve(&mut curves, record));
    if common.format != Format::Table {
        return Ok(curves.write(common.format, out)?);
    }
    let mut table = Table::of_properties(Format::Table);
    let space = loaded.script.space();
    for (part, text) in space.parts().iter().zip(space.texts(point)) {
        table.push(vec![part.name.as_str().into(), text.into()]);
    }
    table.push(vec!["data".into(), plan.data.as_str().into()]);
    table.push(vec!["parameters".into(), plan.network().parameters().into()]);
    table.push(vec!["macs".into(), plan.network().macs().into()]);
    table.write(Format::Table, &mut out)?;
    writeln!(out)?;
    curves.write(Format::Table, &mut out)?;
    writeln!(out)?;
    let head = ["seed", "validation accuracy", "test accuracy", "test loss", "seconds", "weights"];
    let mut table = Table::new(head);
    for (record, weights) in records {
        let training = &record.training;
        let validation = training.curve.last().and_then(|epoch| epoch.validation);
        table.push(vec![
            record.seed.into(),
            validation.map(|score| score.accuracy).into(),
            training.test.accuracy.into(),
            training.test.loss.into(),
            record.seconds.into(),
            weights.display().to_string().into(),
        ]);
    }
    table.write(Format::Table, &mut out)?;
    Ok(())
}
