//! The sets that are published as files: where, how large, with which digest.

use std::fmt;
use std::path::Path;

use clap::ValueEnum;

use super::super::error::DataError;
use super::super::readers::cifar::{self, Cifar};
use super::super::readers::idx;
use super::super::registry::DataSpec;
use super::super::set::Dataset;

/// A set that can be downloaded and imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Official {
    /// CIFAR-10: 60,000 colour images of 32x32 in 10 classes; 162 MiB to download.
    Cifar10,
    /// CIFAR-100: 60,000 colour images of 32x32 in 100 classes; 161 MiB to download.
    Cifar100,
    /// Fashion-MNIST: 70,000 grey images of 28x28 in 10 classes; 30 MiB to download.
    FashionMnist,
}

/// A file on a server, and what tells that it is the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its address; the name of the file is what follows the last slash.
    pub url: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its MD5 digest, hexadecimal in small letters.
    pub md5: String,
}

/// The sizes are those of TensorFlow Datasets (`url_checksums/cifar10.txt`, `cifar100.txt`); the
/// digests stand on <https://www.cs.toronto.edu/~kriz/cifar.html>.
const CIFAR: &str = "https://www.cs.toronto.edu/~kriz";

/// The sizes are those of TensorFlow Datasets (`url_checksums/fashion_mnist.txt`); address and
/// digests those of torchvision (`datasets/mnist.py`, `FashionMNIST`).
const FASHION: &str = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com";

impl Official {
    /// The set as it is named in experiments.
    pub const fn spec(self) -> DataSpec {
        match self {
            Self::Cifar10 => DataSpec::Cifar(Cifar::Ten),
            Self::Cifar100 => DataSpec::Cifar(Cifar::Hundred),
            Self::FashionMnist => DataSpec::Idx("fashion-mnist"),
        }
    }

    /// The set of a name, if it is one of these.
    pub fn of(spec: &DataSpec) -> Option<Self> {
        Self::value_variants().iter().copied().find(|set| set.spec() == *spec)
    }

    /// The files to download, the smallest first.
    pub fn sources(self) -> Vec<Source> {
        let source = |folder: &str, name: &str, size, md5: &str| Source {
            url: format!("{folder}/{name}"),
            size,
            md5: md5.to_owned(),
        };
        match self {
            Self::Cifar10 => vec![source(
                CIFAR,
                "cifar-10-binary.tar.gz",
                170_052_171,
                "c32a1d4ab5d03f1284b67883e8d87530",
            )],
            Self::Cifar100 => vec![source(
                CIFAR,
                "cifar-100-binary.tar.gz",
                168_513_733,
                "03b5dce01913d631647c71ecec9e9cb8",
            )],
            Self::FashionMnist => [
                ("t10k-labels-idx1-ubyte.gz", 5_148, "bb300cfdad3c16e7a12a480ee83cd310"),
                ("train-labels-idx1-ubyte.gz", 29_515, "25c81989df183df01b3e8a0aad5dffbe"),
                ("t10k-images-idx3-ubyte.gz", 4_422_102, "bef4ecab320f06d8554ea6380940ec79"),
                ("train-images-idx3-ubyte.gz", 26_421_880, "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
            ]
            .into_iter()
            .map(|(name, size, md5)| source(FASHION, name, size, md5))
            .collect(),
        }
    }

    /// The folder that the set has in the folder of data.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Cifar10 => Cifar::Ten.folder(),
            Self::Cifar100 => Cifar::Hundred.folder(),
            Self::FashionMnist => "fashion-mnist",
        }
    }

    /// The files that make up the set.
    pub(super) const fn files(self) -> &'static [&'static str] {
        match self {
            Self::Cifar10 => &[
                "data_batch_1.bin",
                "data_batch_2.bin",
                "data_batch_3.bin",
                "data_batch_4.bin",
                "data_batch_5.bin",
                "test_batch.bin",
            ],
            Self::Cifar100 => &["train.bin", "test.bin"],
            Self::FashionMnist => &idx::FILES,
        }
    }

    /// Whether a file of a name is one of the set, for IDX files also if it is compressed.
    pub(super) fn takes(self, name: &str) -> bool {
        let plain = match self {
            Self::FashionMnist => name.strip_suffix(".gz").unwrap_or(name),
            Self::Cifar10 | Self::Cifar100 => name,
        };
        self.files().contains(&plain)
    }

    /// A file that the set needs and that is not in a folder; of CIFAR-10's batches the first will do.
    pub(super) fn lacking(self, folder: &Path) -> Option<&'static str> {
        let optional = |name: &str| {
            self == Self::Cifar10 && name.starts_with("data_batch_") && name != "data_batch_1.bin"
        };
        self.files().iter().copied().filter(|name| !optional(name)).find(|name| match self {
            Self::FashionMnist => idx::find(folder, name).is_none(),
            Self::Cifar10 | Self::Cifar100 => !folder.join(name).is_file(),
        })
    }

    /// Reads the set in a folder.
    pub(super) fn read(self, folder: &Path) -> Result<Dataset, DataError> {
        let name = self.to_string();
        match self {
            Self::Cifar10 => cifar::read(&name, Cifar::Ten, folder),
            Self::Cifar100 => cifar::read(&name, Cifar::Hundred, folder),
            Self::FashionMnist => idx::read(&name, folder),
        }
    }
}

impl fmt::Display for Official {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec().fmt(f)
    }
}

impl Source {
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

    #[test]
    fn a_mirror_replaces_what_is_before_the_name() {
        for set in Official::value_variants() {
            assert_eq!(Official::of(&set.spec()), Some(*set));
            for source in set.sources() {
                assert_eq!(source.md5.len(), 32);
                let mirrored = source.at("http://localhost:1/x/");
                assert_eq!(mirrored.url, format!("http://localhost:1/x/{}", source.file()));
                assert_eq!((mirrored.size, &mirrored.md5), (source.size, &source.md5));
            }
        }
        assert_eq!(Official::Cifar10.sources()[0].file(), "cifar-10-binary.tar.gz");
    }

    #[test]
    fn only_files_of_the_set_are_taken() {
        assert!(Official::Cifar10.takes("data_batch_5.bin"));
        assert!(!Official::Cifar10.takes("data_batch_6.bin"));
        assert!(!Official::Cifar10.takes("test_batch.bin.gz"));
        assert!(!Official::Cifar100.takes("../train.bin"));
        assert!(Official::FashionMnist.takes("t10k-labels-idx1-ubyte"));
        assert!(Official::FashionMnist.takes("t10k-labels-idx1-ubyte.gz"));
        assert!(!Official::FashionMnist.takes("t10k-labels-idx1-ubyte.gz.gz"));
    }
}
