//! `tandem trainings`: lists the trainings in the store.

use std::io::stdout;
use std::process::ExitCode;

use crate::cli::common::context::Common;
use crate::cli::common::error::CliError;
use tandem::accuracy::training_cache::TrainingRecord;
use tandem::report::{Format, Table};
use tandem::run::decode_training;

/// The number of characters of a key that are shown.
const SHOWN: usize = 12;

/// Lists the trainings in the store, or shows the curve of one.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The training's key, or the beginning of it.
    key: Option<String>,
}

/// Carries out the command.
pub fn run(common: &Common, args: &Args) -> Result<ExitCode, CliError> {
    let store = common.reader()?;
    let mut found = Vec::new();
    for key in store.training_keys()? {
        if args.key.as_ref().is_none_or(|start| key.starts_with(start.as_str()))
            && let Some(bytes) = store.training(&key)?
        {
            let record = decode_training(&key, &bytes)
                .map_err(|error| CliError::usage(error.to_string()))?;
            found.push((key, record));
        }
    }
    let table = match (&args.key, found.as_slice()) {
        (Some(_), [(_, record)]) => {
            let mut table = curve_table();
            push_curve(&mut table, record);
            table
        }
        (Some(start), []) => {
            return Err(CliError::Usage {
                message: format!("the store has no training `{start}`"),
                hint: Some("`tandem trainings` lists them".to_owned()),
            });
        }
        _ => list(common, &found),
    };
    table.write(common.format, stdout().lock())?;
    Ok(ExitCode::SUCCESS)
}

fn list(common: &Common, trainings: &[(String, TrainingRecord)]) -> Table {
    let mut table = Table::new([
        "training",
        "data",
        "network",
        "parameters",
        "epochs",
        "seed",
        "accuracy",
        "test_accuracy",
        "stopped",
        "seconds",
    ]);
    for (key, record) in trainings {
        let shown = |text: &str| match common.format {
            Format::Table => text.chars().take(SHOWN).collect(),
            _ => text.to_owned(),
        };
        table.push(vec![
            shown(key).into(),
            record.data.as_str().into(),
            shown(&record.network).into(),
            record.parameters.into(),
            (record.training.curve.len() as u64).into(),
            record.seed.into(),
            record.training.accuracy().into(),
            record.training.test.accuracy.into(),
            record.training.stopped.into(),
            record.seconds.into(),
        ]);
    }
    table
}

/// Makes an empty table of epochs.
pub fn curve_table() -> Table {
    Table::new([
        "seed",
        "epoch",
        "train_loss",
        "train_accuracy",
        "validation_loss",
        "validation_accuracy",
    ])
}

/// Adds the epochs of a training.
pub fn push_curve(table: &mut Table, record: &TrainingRecord) {
    for (epoch, score) in (1_u64..).zip(&record.training.curve) {
        table.push(vec![
            record.seed.into(),
            epoch.into(),
            score.train.loss.into(),
            score.train.accuracy.into(),
            score.validation.map(|score| score.loss).into(),
            score.validation.map(|score| score.accuracy).into(),
        ]);
    }
}
