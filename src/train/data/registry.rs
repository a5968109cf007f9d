//! Where sets of images are found.

use std::path::{Component, Path, PathBuf};
use std::str::FromStr;
use std::{fmt, fs};

use super::error::DataError;
use super::readers::cifar::{self, Cifar};
use super::readers::{folder, idx, procedural};
use super::set::Dataset;

/// The name of a set of images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSpec {
    /// CIFAR-10, CIFAR-100, or CIFAR-100 with its 20 coarse classes.
    Cifar(Cifar),
    /// Fashion-MNIST, or MNIST.
    Idx(&'static str),
    /// A folder of images in the folder of data.
    Folder(String),
    /// The set that the program draws itself.
    Procedural,
}

/// The names there are.
pub const NAMES: [&str; 6] =
    ["cifar10", "cifar100", "cifar100-coarse", "fashion-mnist", "mnist", "procedural"];

/// Where Debian's package dataset-fashion-mnist puts its files.
const DEBIAN: &str = "/usr/share/datasets";

impl FromStr for DataSpec {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        if let Some(folder) = name.strip_prefix("images/") {
            let mut parts = Path::new(folder).components();
            return match (parts.next(), parts.next()) {
                (Some(Component::Normal(_)), None) => Ok(Self::Folder(folder.to_owned())),
                _ => Err(DataError::Outside { name: folder.to_owned() }),
            };
        }
        match name {
            "cifar10" => Ok(Self::Cifar(Cifar::Ten)),
            "cifar100" => Ok(Self::Cifar(Cifar::Hundred)),
            "cifar100-coarse" => Ok(Self::Cifar(Cifar::Coarse)),
            "fashion-mnist" => Ok(Self::Idx("fashion-mnist")),
            "mnist" => Ok(Self::Idx("mnist")),
            "procedural" => Ok(Self::Procedural),
            _ => Err(DataError::Unknown { name: name.to_owned(), known: NAMES.join(", ") }),
        }
    }
}

impl fmt::Display for DataSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cifar(Cifar::Ten) => f.pad("cifar10"),
            Self::Cifar(Cifar::Hundred) => f.pad("cifar100"),
            Self::Cifar(Cifar::Coarse) => f.pad("cifar100-coarse"),
            Self::Idx(name) => f.pad(name),
            Self::Folder(name) => f.pad(&format!("images/{name}")),
            Self::Procedural => f.pad("procedural"),
        }
    }
}

impl DataSpec {
    /// The folders that may hold the set, the likeliest first; none if it needs none.
    fn places(&self, data: &Path) -> Vec<PathBuf> {
        match self {
            Self::Cifar(cifar) => vec![data.join(cifar.folder()), data.join(self.to_string())],
            Self::Idx(name) => vec![data.join(name), Path::new(DEBIAN).join(name)],
            Self::Folder(name) => vec![data.join(name)],
            Self::Procedural => Vec::new(),
        }
    }

    /// The folder that holds the set, if one does.
    pub fn find(&self, data: &Path) -> Option<PathBuf> {
        self.places(data).into_iter().find(|place| match self {
            Self::Cifar(cifar) => place.join(cifar.test_file()).is_file(),
            Self::Idx(_) => idx::find(place, idx::FIRST).is_some(),
            Self::Folder(_) => place.is_dir(),
            Self::Procedural => false,
        })
    }

    /// How many images there are to learn from and to test with in the folder that holds the set, where
    /// sizes and heads of files tell; no image is read.
    pub fn count(&self, place: &Path) -> Option<(u64, u64)> {
        match self {
            Self::Cifar(cifar) => cifar::count(*cifar, place),
            Self::Idx(_) => idx::count(place),
            Self::Folder(_) => None,
            Self::Procedural => Some(procedural::count()),
        }
    }

    fn missing(&self, data: &Path) -> DataError {
        let places = self.places(data);
        let looked: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
        let help = match self {
            Self::Folder(_) => {
                "it holds train/CLASS/IMAGE and test/CLASS/IMAGE; `--data` names another folder of \
                 data"
                    .to_owned()
            }
            Self::Idx("mnist") => "put its four IDX files there".to_owned(),
            _ => {
                let name = if let Self::Cifar(Cifar::Coarse) = self {
                    "cifar100"
                } else {
                    &*self.to_string()
                };
                format!(
                    "`tandem data fetch {name}` downloads it, `tandem data import {name} FILE` takes \
                     an archive, `--data` names another folder of data"
                )
            }
        };
        DataError::Missing { name: self.to_string(), looked: looked.join(" and "), help }
    }
}

/// The sets that have a name of their own, and the folders of images in the folder of data.
pub fn sets(data: &Path) -> Vec<DataSpec> {
    let mut folders: Vec<String> = fs::read_dir(data)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| ["train", "test"].iter().all(|part| entry.path().join(part).is_dir()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.'))
        .collect();
    folders.sort();
    let named = NAMES.into_iter().filter_map(|name| name.parse().ok());
    named.chain(folders.into_iter().map(DataSpec::Folder)).collect()
}

/// Reads a set of images, looked for in the folder of data.
///
/// # Errors
/// It is not there, or a file of it cannot be used.
pub fn open(spec: &DataSpec, data: &Path) -> Result<Dataset, DataError> {
    let name = spec.to_string();
    if *spec == DataSpec::Procedural {
        return procedural::draw(&name);
    }
    let place = spec.find(data).ok_or_else(|| spec.missing(data))?;
    match spec {
        DataSpec::Cifar(cifar) => cifar::read(&name, *cifar, &place),
        DataSpec::Idx(_) => idx::read(&name, &place),
        DataSpec::Folder(_) => folder::read(&name, &place),
        DataSpec::Procedural => procedural::draw(&name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in NAMES.into_iter().chain(["images/pets"]) {
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
        insta::assert_snapshot!(message("images/pets"), @"images/pets is not there: looked for nowhere/pets; it holds train/CLASS/IMAGE and test/CLASS/IMAGE; `--data` names another folder of data");
    }
}
