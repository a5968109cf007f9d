//! The registry of image sets, and lookup by name.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::error::DataError;
use super::image_set::{ImageFamily, ImageSet};
use super::publication::Publication;
use super::readers;
use super::set::Dataset;

/// All image sets, in the order of lists, grouped by reader.
pub static REGISTRY: &[&dyn ImageFamily] = &[
    &readers::cifar::SETS,
    &readers::idx::SETS,
    &readers::procedural::SETS,
    &readers::folder::Folders,
];

/// An image set by name, before it is read.
#[derive(Clone, Debug)]
pub struct DataSpec(Arc<dyn ImageSet>);

impl PartialEq for DataSpec {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for DataSpec {}

impl FromStr for DataSpec {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        for family in REGISTRY {
            if let Some(set) = family.named(name)? {
                return Ok(Self(set));
            }
        }
        let mut known: Vec<String> = REGISTRY.iter().flat_map(|family| family.names()).collect();
        if let Some(last) = known.last_mut() {
            last.insert_str(0, "and ");
        }
        Err(DataError::Unknown { name: name.to_owned(), known: known.join(", ") })
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.name())
    }
}

impl DataSpec {
    /// Returns true if the program generates the set itself, without files.
    pub fn is_built_in(&self) -> bool {
        self.0.places(Path::new("")).is_empty()
    }

    /// The folder that contains the set; `None` if there is none.
    pub fn find(&self, data: &Path) -> Option<PathBuf> {
        self.0.places(data).into_iter().find(|place| self.0.is_in(place))
    }

    /// The numbers of training and test images in the set's folder, from sizes and headers of files; no image
    /// is read. `None` if these do not determine the numbers.
    pub fn count(&self, place: &Path) -> Option<(u64, u64)> {
        self.0.count(place)
    }

    /// The published files of the set; `None` if it cannot be downloaded and imported.
    pub fn publication(&self) -> Option<&'static Publication> {
        self.0.publication()
    }

    /// The set with the same files, which represents this one in commands about files.
    pub fn same_files_as(&self) -> Option<&'static str> {
        self.0.same_files_as()
    }

    /// Reads the set from a folder.
    ///
    /// # Errors
    /// Returns an error if a file is missing or cannot be used.
    pub(super) fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        let images = self.0.read(folder)?;
        debug_assert!(self.0.classes().is_none_or(|classes| classes == images.classes()));
        debug_assert!(self.0.shape().is_none_or(|shape| shape == images.shape()));
        Ok(images)
    }

    fn missing(&self, data: &Path) -> DataError {
        let places = self.0.places(data);
        let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        DataError::Missing {
            name: self.to_string(),
            looked: looked.join(" and "),
            help: self.0.advice(),
        }
    }
}

/// All image sets: those with fixed names, and those found in the data folder.
pub fn sets(data: &Path) -> Vec<DataSpec> {
    REGISTRY.iter().flat_map(|family| family.sets(data)).map(DataSpec).collect()
}

/// Reads an image set from the data folder, or from another of its places.
///
/// # Errors
/// Returns an error if the set is not there, or if one of its files cannot be used.
pub fn open(spec: &DataSpec, data: &Path) -> Result<Dataset, DataError> {
    match spec.find(data) {
        Some(place) => spec.read(&place),
        None if spec.is_built_in() => spec.read(Path::new(spec.0.name())),
        None => Err(spec.missing(data)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let named: Vec<String> =
            sets(Path::new("nowhere")).iter().map(DataSpec::to_string).collect();
        assert_eq!(
            named,
            ["cifar10", "cifar100", "cifar100-coarse", "fashion-mnist", "mnist", "procedural"]
        );
        for name in named.iter().map(String::as_str).chain(["images/pets"]) {
            assert_eq!(name.parse::<DataSpec>().unwrap().to_string(), name);
        }
        let message = |name: &str| name.parse::<DataSpec>().unwrap_err().to_string();
        for name in ["images/..", "images//etc", "images/a/b", "images/"] {
            assert!(message(name).contains("leaves the folder of data"), "{}", message(name));
        }
        insta::assert_snapshot!(message("cifar"), @"there is no data set `cifar`; there are cifar10, cifar100, cifar100-coarse, fashion-mnist, mnist, procedural, and images/FOLDER");
    }

    #[test]
    fn a_set_that_is_not_there_says_how_to_have_it() {
        let message = |name: &str| {
            let spec: DataSpec = name.parse().unwrap();
            open(&spec, Path::new("nowhere")).unwrap_err().to_string()
        };
        insta::assert_snapshot!(message("cifar100-coarse"), @"cifar100-coarse is not there: looked for nowhere/cifar-100-binary and nowhere/cifar100-coarse; `tandem data fetch cifar100` downloads it, `tandem data import cifar100 FILE` takes an archive, `--data` names another folder of data");
        insta::assert_snapshot!(message("mnist"), @"mnist is not there: looked for nowhere/mnist and /usr/share/datasets/mnist; put its four IDX files there");
        insta::assert_snapshot!(message("images/pets"), @"images/pets is not there: looked for nowhere/pets; it holds train/CLASS/IMAGE and test/CLASS/IMAGE; `--data` names another folder of data");
    }

    #[test]
    fn folders_of_images_are_listed_behind_the_named_sets() {
        let data = tempfile::tempdir().unwrap();
        for name in ["pets", "birds", ".hidden", "half"] {
            std::fs::create_dir_all(data.path().join(name).join("train")).unwrap();
        }
        for name in ["pets", "birds", ".hidden"] {
            std::fs::create_dir(data.path().join(name).join("test")).unwrap();
        }
        let found: Vec<String> = sets(data.path()).iter().map(DataSpec::to_string).collect();
        assert!(
            found.ends_with(&["images/birds".to_owned(), "images/pets".to_owned()]),
            "{found:?}"
        );
        assert_eq!(found.len(), sets(Path::new("nowhere")).len() + 2);
    }

    #[test]
    fn a_set_without_files_is_opened_anywhere_and_is_what_it_announces() {
        for name in ["cifar10", "mnist", "images/pets"] {
            assert!(!name.parse::<DataSpec>().unwrap().is_built_in(), "{name}");
        }
        assert!("procedural".parse::<DataSpec>().unwrap().is_built_in());
        for spec in sets(Path::new("nowhere")).iter().filter(|set| set.is_built_in()) {
            let images = open(spec, Path::new("nowhere")).unwrap();
            assert_eq!(images.name(), spec.to_string());
            assert_eq!(spec.0.classes(), Some(images.classes()));
            assert_eq!(spec.0.shape(), Some(images.shape()));
            let counts = (images.train().len() as u64, images.test().len() as u64);
            assert_eq!(spec.count(Path::new("nowhere")), Some(counts));
        }
    }

    #[test]
    fn published_names_are_names_of_sets() {
        for set in sets(Path::new("nowhere")) {
            if let Some(publication) = set.publication() {
                assert_eq!(publication.name, set.to_string());
                assert!(publication.optional.iter().all(|name| publication.files.contains(name)));
            }
            if let Some(same) = set.same_files_as() {
                let same: DataSpec = same.parse().unwrap();
                assert!(same.publication().is_some());
            }
        }
    }
}
