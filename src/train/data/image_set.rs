//! The interface of image sets, independent of the layout of their files.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::DataError;
use super::publication::Publication;
use super::set::Dataset;
use crate::network::Shape;

/// A named set of labeled images, as lookup, training, `tandem data` and `tandem check` use it.
pub trait ImageSet: Debug + Send + Sync {
    /// The name in experiments and commands.
    fn name(&self) -> &str;

    /// The number of classes; `None` if only the files determine it.
    fn classes(&self) -> Option<usize> {
        None
    }

    /// The shape of an image; `None` if only the files determine it.
    fn shape(&self) -> Option<Shape> {
        None
    }

    /// The folders that may contain the set, most likely first; none for a set that the program generates.
    fn places(&self, _data: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Returns true if one of these folders contains the set.
    fn is_in(&self, folder: &Path) -> bool {
        folder.is_dir()
    }

    /// The numbers of training and test images in a folder, from sizes and headers of files; no image is
    /// read. `None` if these do not determine the numbers.
    fn count(&self, _folder: &Path) -> Option<(u64, u64)> {
        None
    }

    /// Reads the set from a folder, which is ignored by a set that the program generates.
    ///
    /// # Errors
    /// Returns an error if a file is missing or cannot be used.
    fn read(&self, folder: &Path) -> Result<Dataset, DataError>;

    /// The published files of the set; `None` if it cannot be downloaded and imported.
    fn publication(&self) -> Option<&'static Publication> {
        None
    }

    /// The set with the same files, which represents this one in commands about files.
    fn same_files_as(&self) -> Option<&'static str> {
        None
    }

    /// Advice for errors about a missing set.
    fn advice(&self) -> String {
        match self.same_files_as().or(self.publication().map(|files| files.name)) {
            Some(name) => fetch_or_import(name),
            None => "put its files there; `--data` names another folder of data".to_owned(),
        }
    }
}

/// Advice to download or import a published set.
pub(super) fn fetch_or_import(name: &str) -> String {
    format!(
        "`tandem data fetch {name}` downloads it, `tandem data import {name} FILE` takes an archive, \
         `--data` names another folder of data"
    )
}

/// Image sets that share a reader.
pub trait ImageFamily: Sync {
    /// The names of the sets, or their pattern, as messages list them.
    fn names(&self) -> Vec<String>;

    /// The set with the given name; `None` if the name is not of this family.
    ///
    /// # Errors
    /// Returns an error if the name follows the family's pattern but is invalid.
    fn named(&self, name: &str) -> Result<Option<Arc<dyn ImageSet>>, DataError>;

    /// All sets of the family, those found in the data folder included.
    fn sets(&self, data: &Path) -> Vec<Arc<dyn ImageSet>>;
}

/// A family of sets with fixed names.
impl<S: ImageSet + Clone + 'static, const N: usize> ImageFamily for [S; N] {
    fn names(&self) -> Vec<String> {
        self.iter().map(|set| set.name().to_owned()).collect()
    }

    fn named(&self, name: &str) -> Result<Option<Arc<dyn ImageSet>>, DataError> {
        let found = self.iter().find(|set| set.name() == name);
        Ok(found.map(|set| Arc::new(set.clone()) as Arc<dyn ImageSet>))
    }

    fn sets(&self, _data: &Path) -> Vec<Arc<dyn ImageSet>> {
        self.iter().map(|set| Arc::new(set.clone()) as Arc<dyn ImageSet>).collect()
    }
}
