//! Published image sets.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::super::error::DataError;
use super::super::publication::{Download, Publication};
use super::super::registry::{DataSpec, sets};
use super::super::set::Dataset;

/// A set that can be downloaded and imported.
#[derive(Clone, Debug)]
pub struct Official {
    spec: DataSpec,
    publication: &'static Publication,
}

/// A file on a server, with its size and digest for verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFile {
    /// The URL, which ends with the name of the file.
    pub url: String,
    /// The size in bytes.
    pub size: u64,
    /// The MD5 digest, in lowercase hexadecimal.
    pub md5: String,
}

impl Official {
    /// All published sets, in the order of lists.
    pub fn all() -> Vec<Self> {
        // Those that only the data folder tells are published nowhere.
        sets(Path::new("")).iter().filter_map(Self::of).collect()
    }

    /// The published set; `None` if the set is not published.
    pub fn of(spec: &DataSpec) -> Option<Self> {
        Some(Self { publication: spec.publication()?, spec: spec.clone() })
    }

    /// The set by its name in experiments.
    pub const fn spec(&self) -> &DataSpec {
        &self.spec
    }

    /// The published files.
    pub const fn publication(&self) -> &'static Publication {
        self.publication
    }

    /// The files to download, smallest first.
    pub fn sources(&self) -> Vec<RemoteFile> {
        let server = self.publication.server;
        let source = |file: &Download| RemoteFile {
            url: format!("{server}/{}", file.file),
            size: file.size,
            md5: file.md5.to_owned(),
        };
        self.publication.downloads.iter().map(source).collect()
    }

    /// Reads the set from a folder.
    pub(super) fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        self.spec.read(folder)
    }
}

impl FromStr for Official {
    type Err = DataError;

    fn from_str(name: &str) -> Result<Self, DataError> {
        Self::of(&name.parse()?).ok_or_else(|| {
            let known: Vec<String> = Self::all().iter().map(Self::to_string).collect();
            DataError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

impl fmt::Display for Official {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

impl RemoteFile {
    /// The name of the file.
    pub fn file(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }

    /// The same file in the folder of another server.
    #[must_use]
    pub fn at(&self, mirror: &str) -> Self {
        let url = format!("{}/{}", mirror.trim_end_matches('/'), self.file());
        Self { url, ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn official(name: &str) -> Official {
        name.parse().unwrap()
    }

    #[test]
    fn a_mirror_replaces_what_is_before_the_name() {
        let names: Vec<String> = Official::all().iter().map(Official::to_string).collect();
        for name in ["cifar10", "cifar100", "fashion-mnist"] {
            assert!(names.iter().any(|known| known == name), "{name} in {names:?}");
        }
        for set in Official::all() {
            for source in set.sources() {
                assert_eq!(source.md5.len(), 32);
                let mirrored = source.at("http://localhost:1/x/");
                assert_eq!(mirrored.url, format!("http://localhost:1/x/{}", source.file()));
                assert_eq!((mirrored.size, &mirrored.md5), (source.size, &source.md5));
            }
        }
        let source = &official("cifar10").sources()[0];
        assert_eq!(source.url, "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz");
        assert_eq!(source.file(), "cifar-10-binary.tar.gz");
    }

    #[test]
    fn a_set_that_is_not_published_is_named_with_those_that_are() {
        let message = |name: &str| name.parse::<Official>().unwrap_err().to_string();
        let names: Vec<String> = Official::all().iter().map(Official::to_string).collect();
        for name in ["cifar100-coarse", "mnist", "procedural", "images/pets"] {
            let known = names.join(", ");
            let expected = format!("there is no data set `{name}`; there are {known}");
            assert_eq!(message(name), expected);
        }
        assert!(message("cifar").starts_with("there is no data set `cifar`; there are cifar10, "));
    }

    #[test]
    fn only_files_of_the_set_are_taken() {
        let takes = |set: &str, name: &str| official(set).publication().takes(name);
        assert!(takes("cifar10", "data_batch_5.bin"));
        assert!(!takes("cifar10", "data_batch_6.bin"));
        assert!(!takes("cifar10", "test_batch.bin.gz"));
        assert!(!takes("cifar100", "../train.bin"));
        assert!(takes("fashion-mnist", "t10k-labels-idx1-ubyte"));
        assert!(takes("fashion-mnist", "t10k-labels-idx1-ubyte.gz"));
        assert!(!takes("fashion-mnist", "t10k-labels-idx1-ubyte.gz.gz"));
    }

    #[test]
    fn files_that_are_not_there_are_lacking_unless_they_are_optional() {
        let folder = tempfile::tempdir().unwrap();
        let lacking = |set: &str| official(set).publication().lacking(folder.path());
        let put = |name: &str| std::fs::write(folder.path().join(name), "").unwrap();
        assert_eq!(lacking("cifar10"), Some("data_batch_1.bin"));
        put("data_batch_1.bin");
        assert_eq!(lacking("cifar10"), Some("test_batch.bin"));
        put("test_batch.bin");
        assert_eq!(lacking("cifar10"), None);
        for (name, next) in [
            ("train-labels-idx1-ubyte.gz", Some("train-images-idx3-ubyte")),
            ("train-images-idx3-ubyte", Some("t10k-labels-idx1-ubyte")),
        ] {
            put(name);
            assert_eq!(lacking("fashion-mnist"), next);
        }
    }
}
