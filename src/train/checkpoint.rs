//! Checkpoints of training runs: files that are written atomically.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::model::Model;
use super::optimizer::OptimizerState;
use super::score::EpochScore;
use crate::util::atomic_file::{Replacement, create_folder_like_folder};
use crate::util::checksum::body;
use tandem_kernels::{BatchOutcome, with_values};

/// The position of a training run between two steps.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Position {
    /// The number of complete epochs.
    pub epoch: u32,
    /// The number of steps done in the next epoch.
    pub step: u64,
    /// The sums of loss and correct predictions over those steps.
    pub outcome: BatchOutcome,
}

/// The state of a training run between two steps.
#[derive(Serialize, Deserialize)]
pub struct TrainingCheckpoint {
    /// The key of the training run; see [`training_key`](super::training_key).
    key: String,
    /// The position at which it was taken.
    pub position: Position,
    /// The scores of complete epochs.
    pub curve: Vec<EpochScore>,
    /// The state of the optimizer.
    pub optimizer: OptimizerState,
    /// The values of the model's variables.
    variables: Vec<Vec<f32>>,
}

impl TrainingCheckpoint {
    /// Captures the state of a training run.
    ///
    /// # Errors
    /// Returns an error if the variables are not in host memory.
    pub fn new(
        key: &str,
        model: &Model,
        optimizer: &OptimizerState,
        position: Position,
        curve: &[EpochScore],
    ) -> Result<Self, TrainError> {
        let variables = model.variables().iter().map(|it| with_values(it, <[f32]>::to_vec));
        Ok(Self {
            key: key.to_owned(),
            position,
            curve: curve.to_vec(),
            optimizer: optimizer.clone(),
            variables: variables.collect::<Result<_, _>>()?,
        })
    }

    /// Sets a model's variables; returns false, without a change, if they do not fit the model.
    ///
    /// # Errors
    /// Returns an error if the variables cannot be set.
    pub fn restore(&self, model: &Model) -> Result<bool, TrainError> {
        let pairs = || model.variables().iter().zip(&self.variables);
        if self.variables.len() != model.variables().len()
            || pairs().any(|(variable, values)| variable.elem_count() != values.len())
        {
            return Ok(false);
        }
        for (variable, values) in pairs() {
            let values = Tensor::from_slice(values, variable.shape(), variable.device())?;
            variable.set(&values)?;
        }
        Ok(true)
    }

    /// Writes the checkpoint to disk, replacing an older one.
    ///
    /// # Errors
    /// Returns an error if the disk is full or fails.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let failed = |source| TrainError::Checkpoint { path: path.into(), source };
        let bytes = postcard::to_stdvec(self).map_err(|error| failed(io::Error::other(error)))?;
        let write = || {
            let folder = path.parent().unwrap_or(Path::new("."));
            if !folder.is_dir() {
                create_folder_like_folder(folder)?;
            }
            // Listings of checkpoints leave out what ends in `.new`.
            let beside = path.with_extension("new");
            let mut file =
                Replacement::in_own_folder(path, beside.file_name().unwrap_or_default())?;
            file.write_all(blake3::hash(&bytes).as_bytes())?;
            file.write_all(&bytes)?;
            file.keep()
        };
        write().map_err(failed)
    }

    /// Reads the checkpoint of a training run; `None` if the file is missing, damaged or of another run.
    ///
    /// # Errors
    /// Returns an error if the file cannot be read.
    pub fn load(path: &Path, key: &str) -> Result<Option<Self>, TrainError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(TrainError::Checkpoint { path: path.into(), source }),
        };
        let whole = body(&bytes)
            .and_then(|bytes| postcard::from_bytes::<Self>(bytes).ok())
            .filter(|checkpoint| checkpoint.key == key);
        if whole.is_none() {
            tracing::warn!("{} is damaged; the training starts anew", path.display());
        }
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trainings/key");
        let mut checkpoint = TrainingCheckpoint {
            key: "key".to_owned(),
            position: Position { epoch: 3, step: 7, ..Position::default() },
            curve: Vec::new(),
            optimizer: OptimizerState::default(),
            variables: vec![vec![1.0, 2.0]],
        };
        // The position is stored as its fields, in place.
        let fields = ("key", 3_u32, 7_u64, BatchOutcome::default(), Vec::<EpochScore>::new());
        let stored = postcard::to_stdvec(&checkpoint).unwrap();
        assert!(stored.starts_with(&postcard::to_stdvec(&fields).unwrap()));
        let names = || -> Vec<String> {
            let entries = fs::read_dir(path.parent().unwrap()).unwrap();
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
        };
        checkpoint.save(&path).unwrap();
        // A kill in the middle of the next one.
        fs::write(path.with_extension("new"), "half").unwrap();
        assert_eq!(
            TrainingCheckpoint::load(&path, "key").unwrap().map(|found| found.position.epoch),
            Some(3)
        );
        checkpoint.position.epoch = 4;
        checkpoint.save(&path).unwrap();
        assert_eq!(
            TrainingCheckpoint::load(&path, "key").unwrap().map(|found| found.position.epoch),
            Some(4)
        );
        assert!(TrainingCheckpoint::load(&path, "other").unwrap().is_none());
        assert_eq!(names(), ["key"]);
        // A folder that no file can take the place of.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        let message = checkpoint.save(&path).unwrap_err().to_string();
        assert!(message.contains(&path.display().to_string()), "{message}");
        assert_eq!(names(), ["key"]);
    }
}
