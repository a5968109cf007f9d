//! A training's own checkpoint: a file that is whole or not there.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::error::TrainError;
use super::model::Model;
use super::optimiser::OptimiserState;
use super::score::EpochScore;
use crate::util::atomic_file::{create_folder_like_folder, create_like_folder};
use crate::util::checksum::body;
use tandem_kernels::{Outcome, with_values};

/// A training between two steps.
#[derive(Serialize, Deserialize)]
pub struct Checkpoint {
    /// What is trained.
    key: String,
    /// Epochs that are complete.
    pub epoch: u32,
    /// Steps done of the next one.
    pub step: u64,
    /// What those gave.
    pub outcome: Outcome,
    /// The scores of complete epochs.
    pub curve: Vec<EpochScore>,
    /// The optimiser's memory.
    pub optimiser: OptimiserState,
    /// The model's variables.
    variables: Vec<Vec<f32>>,
}

impl Checkpoint {
    /// Takes down where a training stands.
    ///
    /// # Errors
    /// The variables are not in the processor's memory.
    pub fn new(
        key: &str,
        model: &Model,
        optimiser: &OptimiserState,
        (epoch, step, outcome): (u32, u64, Outcome),
        curve: &[EpochScore],
    ) -> Result<Self, TrainError> {
        let variables = model.variables().iter().map(|it| with_values(it, <[f32]>::to_vec));
        Ok(Self {
            key: key.to_owned(),
            epoch,
            step,
            outcome,
            curve: curve.to_vec(),
            optimiser: optimiser.clone(),
            variables: variables.collect::<Result<_, _>>()?,
        })
    }

    /// Sets a model's variables; false if they are another's.
    ///
    /// # Errors
    /// The variables cannot be set.
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

    /// Writes the checkpoint to the disk, in place of an older one.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn save(&self, path: &Path) -> Result<(), TrainError> {
        let failed = |source| TrainError::Checkpoint { path: path.into(), source };
        let bytes = postcard::to_stdvec(self).map_err(|error| failed(io::Error::other(error)))?;
        let write = || {
            let folder = path.parent().unwrap_or(Path::new("."));
            if !folder.is_dir() {
                create_folder_like_folder(folder)?;
            }
            let temporary = path.with_extension("new");
            let mut file = create_like_folder(&temporary)?;
            file.write_all(blake3::hash(&bytes).as_bytes())?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(failed)
    }

    /// Reads the checkpoint of a training; none if there is none, or none that is whole.
    ///
    /// # Errors
    /// The file cannot be read.
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
