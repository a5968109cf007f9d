//! Image sets by one trait, whatever their files are.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::DataError;
use super::publication::Publication;
use super::set::Dataset;
use crate::network::Shape;

/// A set of labelled images that has a name. Lookup, training, `tandem data` and `tandem check` know nothing else
/// of it.
pub trait ImageSet: Debug + Send + Sync {
    /// The name in experiments and commands.
    fn name(&self) -> &str;

    /// The number of classes, unless only the files tell.
    fn classes(&self) -> Option<usize> {
        None
    }

    /// The shape of an image, unless only the files tell.
    fn shape(&self) -> Option<Shape> {
        None
    }

    /// The folders that may hold the set, the likeliest first; none for a set that the program draws itself.
    fn places(&self, _data: &Path) -> Vec<PathBuf> {
        Vec::new()
    }

    /// Recognizes the set in one of these folders.
    fn is_in(&self, folder: &Path) -> bool {
        folder.is_dir()
    }

    /// The numbers of training and test images in a folder, where sizes and heads of files tell; no image is read.
    fn count(&self, _folder: &Path) -> Option<(u64, u64)> {
        None
    }

    /// Reads the set in a folder; a set that the program draws takes nothing from it.
    ///
    /// # Errors
    /// A file is missing or cannot be used.
    fn read(&self, folder: &Path) -> Result<Dataset, DataError>;

    /// The published files, of a set that can be downloaded and imported.
    fn publication(&self) -> Option<&'static Publication> {
        None
    }

    /// The set that is read from the same files and stands for this one in commands about files.
    fn same_files_as(&self) -> Option<&'static str> {
        None
    }

    /// Says what to do where the set is missing.
    fn advice(&self) -> String {
        match self.same_files_as().or(self.publication().map(|files| files.name)) {
            Some(name) => fetch_or_import(name),
            None => "put its files there; `--data` names another folder of data".to_owned(),
        }
    }
}

/// Says how a published set gets into the data folder.
pub(super) fn fetch_or_import(name: &str) -> String {
    format!(
        "`tandem data fetch {name}` downloads it, `tandem data import {name} FILE` takes an archive, \
         `--data` names another folder of data"
    )
}

/// Image sets that share a reader: a line of the table of all sets.
pub trait ImageFamily: Sync {
    /// The names of the sets, or their pattern, as messages list them.
    fn names(&self) -> Vec<String>;

    /// The set of a name, if the name is one of the family.
    ///
    /// # Errors
    /// The name follows the family's pattern and is not valid.
    fn named(&self, name: &str) -> Result<Option<Arc<dyn ImageSet>>, DataError>;

    /// The sets, with those that only the data folder tells.
    fn sets(&self, data: &Path) -> Vec<Arc<dyn ImageSet>>;
}

/// Sets that all have a name of their own.
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
