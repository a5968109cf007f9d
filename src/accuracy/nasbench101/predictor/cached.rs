//! Predictions of many cells, cached in files.

use std::path::Path;
use std::{fs, io};

use super::model::Predictor;
use crate::space::nasbench101::Cell101;
use crate::util::atomic_file::write_whole;
use crate::util::checksum::{body, hashed};

impl Predictor {
    /// Returns the predicted test accuracies of cells, as fractions, from the folder `cache`.
    ///
    /// A missing or corrupted file is computed on all threads and written. If it cannot be written, the only
    /// cost is to compute it again.
    pub fn cached_accuracies(&self, cells: &[Cell101], cache: Option<&Path>) -> Vec<f64> {
        let Some(folder) = cache else { return self.accuracies(cells) };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.encode());
        for cell in cells {
            hasher.update(&cell.packed().to_le_bytes());
        }
        let file = folder.join(format!("predicted101-{}.bin", &hasher.finalize().to_hex()[..16]));
        let known = fs::read(&file).ok().and_then(|bytes| decode(&bytes, cells.len()));
        known.unwrap_or_else(|| {
            let accuracies = self.accuracies(cells);
            if let Err(error) = write(&file, &accuracies) {
                tracing::warn!("cannot keep predictions in {}: {error}", file.display());
            }
            accuracies
        })
    }
}

fn decode(bytes: &[u8], count: usize) -> Option<Vec<f64>> {
    let body = body(bytes).filter(|body| body.len() == 8 * count)?;
    let numbers = body.as_chunks::<8>().0.iter();
    Some(numbers.map(|number| f64::from_le_bytes(*number)).collect())
}

/// Writes predictions to a file with a checksum.
fn write(file: &Path, accuracies: &[f64]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let body: Vec<u8> = accuracies.iter().flat_map(|number| number.to_le_bytes()).collect();
    write_whole(file, &hashed(&body))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predictions_are_kept_and_mended() {
        let dir = tempfile::tempdir().unwrap();
        let cells = [Cell101::resnet_like(), Cell101::inception_like()];
        let predictor = Predictor::embedded().unwrap();
        let expected = predictor.accuracies(&cells);
        let cached = || predictor.cached_accuracies(&cells, Some(dir.path()));
        assert_eq!(cached(), expected);
        let files: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
        let [file] = files.as_slice() else { panic!("{files:?}") };
        let path = file.as_ref().unwrap().path();
        let whole = fs::read(&path).unwrap();
        assert_eq!(decode(&whole, 2), Some(expected.clone()));
        fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_eq!(cached(), expected);
        assert_eq!(fs::read(&path).unwrap(), whole);
    }
}
