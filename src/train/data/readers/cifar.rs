//! CIFAR-10 and CIFAR-100 in their official binary layout (Krizhevsky 2009,
//! <https://www.cs.toronto.edu/~kriz/cifar.html>).
//!
//! Records have one or two label bytes, then three planes (red, green, blue) of 32 rows of 32 bytes. A file
//! holds any number of records.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::error::DataError;
use super::super::image_set::ImageSet;
use super::super::publication::{Download, Publication};
use super::super::set::{Dataset, Images};
use crate::network::Shape;

const SIDE: usize = 32;
const PLANE: usize = SIDE * SIDE;
const SHAPE: Shape = Shape::new(3, SIDE, SIDE);

/// The maximum number of batches of CIFAR-10.
const BATCHES: usize = 99;

/// The sets.
pub static SETS: [Cifar; 3] = [Cifar::Ten, Cifar::Hundred, Cifar::Coarse];

/// A set of this layout, with one of its kinds of labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cifar {
    /// 10 classes.
    Ten,
    /// 100 classes.
    Hundred,
    /// The 20 superclasses of CIFAR-100.
    Coarse,
}

/// The server of CIFAR-10 and CIFAR-100.
///
/// Sizes are from TensorFlow Datasets (`url_checksums/cifar10.txt`, `cifar100.txt`), digests from
/// <https://www.cs.toronto.edu/~kriz/cifar.html>.
const SERVER: &str = "https://www.cs.toronto.edu/~kriz";

static CIFAR_10: Publication = Publication {
    name: "cifar10",
    about: "CIFAR-10: 60,000 colour images of 32x32 in 10 classes; 162 MiB to download",
    form: "CIFAR-10 in the binary version",
    folder: "cifar-10-batches-bin",
    files: &[
        "data_batch_1.bin",
        "data_batch_2.bin",
        "data_batch_3.bin",
        "data_batch_4.bin",
        "data_batch_5.bin",
        "test_batch.bin",
    ],
    // The first will do.
    optional: &["data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"],
    gzip: false,
    server: SERVER,
    downloads: &[Download {
        file: "cifar-10-binary.tar.gz",
        size: 170_052_171,
        md5: "c32a1d4ab5d03f1284b67883e8d87530",
    }],
};

static CIFAR_100: Publication = Publication {
    name: "cifar100",
    about: "CIFAR-100: 60,000 colour images of 32x32 in 100 classes; 161 MiB to download",
    form: "CIFAR-100 in the binary version",
    folder: "cifar-100-binary",
    files: &["train.bin", "test.bin"],
    optional: &[],
    gzip: false,
    server: SERVER,
    downloads: &[Download {
        file: "cifar-100-binary.tar.gz",
        size: 168_513_733,
        md5: "03b5dce01913d631647c71ecec9e9cb8",
    }],
};

impl ImageSet for Cifar {
    fn name(&self) -> &str {
        match self {
            Self::Ten => CIFAR_10.name,
            Self::Hundred => CIFAR_100.name,
            Self::Coarse => "cifar100-coarse",
        }
    }

    fn classes(&self) -> Option<usize> {
        Some(self.class_count())
    }

    fn shape(&self) -> Option<Shape> {
        Some(SHAPE)
    }

    fn places(&self, data: &Path) -> Vec<PathBuf> {
        vec![data.join(self.files().folder), data.join(self.name())]
    }

    fn is_in(&self, folder: &Path) -> bool {
        folder.join(self.test_file()).is_file()
    }

    fn count(&self, folder: &Path) -> Option<(u64, u64)> {
        count(*self, folder)
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        read(*self, folder)
    }

    fn publication(&self) -> Option<&'static Publication> {
        (*self != Self::Coarse).then(|| self.files())
    }

    fn same_files_as(&self) -> Option<&'static str> {
        (*self == Self::Coarse).then_some(CIFAR_100.name)
    }
}

impl Cifar {
    /// The files from which the set is read.
    const fn files(self) -> &'static Publication {
        match self {
            Self::Ten => &CIFAR_10,
            Self::Hundred | Self::Coarse => &CIFAR_100,
        }
    }

    /// The file of test images.
    const fn test_file(self) -> &'static str {
        match self {
            Self::Ten => "test_batch.bin",
            Self::Hundred | Self::Coarse => "test.bin",
        }
    }

    /// The number of values of each label byte in a record, and the index of the byte used as label.
    const fn labels(self) -> (&'static [u8], usize) {
        match self {
            Self::Ten => (&[10], 0),
            Self::Hundred => (&[20, 100], 1),
            Self::Coarse => (&[20, 100], 0),
        }
    }

    fn class_count(self) -> usize {
        let (labels, chosen) = self.labels();
        usize::from(labels[chosen])
    }

    /// The files of training images in a folder; for CIFAR-10, consecutive batches from 1.
    fn train_files(self, folder: &Path) -> Result<Vec<PathBuf>, DataError> {
        if self != Self::Ten {
            return Ok(vec![folder.join("train.bin")]);
        }
        let batch = |batch: usize| folder.join(format!("data_batch_{batch}.bin"));
        let last = (1..=BATCHES).rev().find(|&index| batch(index).is_file()).unwrap_or(1);
        match (1..=last).find(|&index| !batch(index).is_file()) {
            None => Ok((1..=last).map(batch).collect()),
            Some(1) => {
                let what = "there is no data_batch_1.bin; is it CIFAR-10 in the binary version?";
                Err(DataError::wrong(folder, what))
            }
            Some(missing) => {
                let what =
                    format!("there is a data_batch_{last}.bin and no data_batch_{missing}.bin");
                Err(DataError::wrong(folder, what))
            }
        }
    }
}

/// Reads the set from a folder. Fails if a file is missing, ends within a record, or has an invalid label.
fn read(cifar: Cifar, folder: &Path) -> Result<Dataset, DataError> {
    let mut train = Images::default();
    for file in cifar.train_files(folder)? {
        train.append(read_file(cifar, &file)?);
    }
    let test = read_file(cifar, &folder.join(cifar.test_file()))?;
    Dataset::new(cifar.name(), folder, SHAPE, cifar.class_count(), train, test)
}

/// Counts the training and test images in a folder, by the sizes of its files.
fn count(cifar: Cifar, folder: &Path) -> Option<(u64, u64)> {
    let record = (cifar.labels().0.len() + 3 * PLANE) as u64;
    let records = |path: &Path| Some(fs::metadata(path).ok()?.len() / record);
    let train =
        cifar.train_files(folder).ok()?.iter().map(|path| records(path)).sum::<Option<u64>>()?;
    Some((train, records(&folder.join(cifar.test_file()))?))
}

fn read_file(cifar: Cifar, path: &Path) -> Result<Images, DataError> {
    let bytes = fs::read(path).map_err(|source| DataError::read(path, source))?;
    let (labels, chosen) = cifar.labels();
    let size = labels.len() + 3 * PLANE;
    let mut images = Images::default();
    images.pixels.reserve(bytes.len());
    let mut records = bytes.chunks_exact(size);
    for (record, bytes) in records.by_ref().enumerate() {
        let (given, pixels) = bytes.split_at(labels.len());
        if let Some((&label, &classes)) =
            given.iter().zip(labels).find(|(label, classes)| label >= classes)
        {
            let what = format!(
                "record {record} (of {size} bytes, from 0) has label {label}; the labels there are \
                 0 to {}",
                classes - 1
            );
            return Err(DataError::wrong(path, what));
        }
        images.labels.push(u16::from(given[chosen]));
        let (red, rest) = pixels.split_at(PLANE);
        let (green, blue) = rest.split_at(PLANE);
        images.pixels.extend(red.iter().zip(green).zip(blue).flat_map(|((r, g), b)| [*r, *g, *b]));
    }
    let rest = records.remainder().len();
    if rest > 0 {
        let what = format!("record {} is cut off: {rest} of {size} bytes", images.len());
        return Err(DataError::wrong(path, what));
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(labels: &[u8], seed: usize) -> Vec<u8> {
        let pixels = (0..3 * PLANE).map(|i| ((i * 7 + seed) % 251) as u8);
        labels.iter().copied().chain(pixels).collect()
    }

    #[test]
    fn planes_become_pixels_and_labels_are_those_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let train = [record(&[3, 42], 1), record(&[19, 99], 2)].concat();
        fs::write(folder.path().join("train.bin"), train).unwrap();
        fs::write(folder.path().join("test.bin"), record(&[0, 0], 3)).unwrap();
        let fine = read(Cifar::Hundred, folder.path()).unwrap();
        assert_eq!(fine.train().labels, [42, 99]);
        assert_eq!((fine.classes(), fine.test().len()), (100, 1));
        let source = record(&[3, 42], 1);
        let pixel = |row: usize, column: usize, channel: usize| {
            source[2 + channel * PLANE + row * SIDE + column]
        };
        for (row, column) in [(0, 0), (3, 31), (31, 5)] {
            let at = (row * SIDE + column) * 3;
            let expected = [0, 1, 2].map(|channel| pixel(row, column, channel));
            assert_eq!(fine.train().pixels[at..at + 3], expected);
        }
        let coarse = read(Cifar::Coarse, folder.path()).unwrap();
        assert_eq!(coarse.train().labels, [3, 19]);
        assert_ne!(coarse.digest(), fine.digest());
        assert_eq!(count(Cifar::Coarse, folder.path()), Some((2, 1)));
        assert_eq!(count(Cifar::Ten, folder.path()), None);
    }

    #[test]
    fn broken_files_name_the_record() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data_batch_1.bin");
        let message = |bytes: Vec<u8>| {
            fs::write(&path, bytes).unwrap();
            let error = read(Cifar::Ten, folder.path()).unwrap_err().to_string();
            error.replace(&folder.path().display().to_string(), "DATA")
        };
        let empty = read(Cifar::Ten, folder.path()).unwrap_err().to_string();
        assert!(empty.contains("there is no data_batch_1.bin"), "{empty}");
        fs::write(folder.path().join("data_batch_3.bin"), record(&[3], 1)).unwrap();
        insta::assert_snapshot!(message(record(&[3], 1)), @"DATA: there is a data_batch_3.bin and no data_batch_2.bin");
        fs::remove_file(folder.path().join("data_batch_3.bin")).unwrap();
        let mut cut = [record(&[3], 1), record(&[9], 2)].concat();
        cut.truncate(4000);
        insta::assert_snapshot!(message(cut), @"DATA/data_batch_1.bin: record 1 is cut off: 927 of 3073 bytes");
        let wrong = [record(&[3], 1), record(&[10], 2)].concat();
        insta::assert_snapshot!(message(wrong), @"DATA/data_batch_1.bin: record 1 (of 3073 bytes, from 0) has label 10; the labels there are 0 to 9");
        let missing = message(record(&[3], 1));
        assert!(missing.starts_with("cannot read DATA/test_batch.bin: "), "{missing}");
    }
}
