//! MNIST and other sets in its layout, such as Fashion-MNIST: IDX files (LeCun,
//! <http://yann.lecun.com/exdb/mnist/>), plain or compressed with gzip.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::super::error::DataError;
use super::super::image_set::{ImageSet, fetch_or_import};
use super::super::publication::{Download, Publication, plain_or_gzip};
use super::super::set::{Dataset, Images};
use crate::network::Shape;

/// The number of classes of each set.
const CLASSES: usize = 10;

/// The maximum number of bytes of an uncompressed file, far above that of any set.
const LARGEST: u64 = 2 << 30;

/// The file of training labels, by which a folder of this layout is recognized.
const FIRST: &str = "train-labels-idx1-ubyte";

/// The files of this layout.
const FILES: [&str; 4] =
    [FIRST, "train-images-idx3-ubyte", "t10k-labels-idx1-ubyte", "t10k-images-idx3-ubyte"];

/// The parent folder of the files of Debian's package dataset-fashion-mnist.
const DEBIAN: &str = "/usr/share/datasets";

/// The sets.
pub static SETS: [Idx; 2] = [Idx::FashionMnist, Idx::Mnist];

/// A set of this layout.
#[derive(Clone, Copy, Debug)]
pub enum Idx {
    /// Fashion-MNIST (Xiao, Rasul and Vollgraf 2017).
    FashionMnist,
    /// MNIST, which has no reliable download address.
    Mnist,
}

/// Fashion-MNIST's files. Sizes are from TensorFlow Datasets (`url_checksums/fashion_mnist.txt`), URL and
/// digests from torchvision (`datasets/mnist.py`, `FashionMNIST`).
static FASHION_MNIST: Publication = Publication {
    name: "fashion-mnist",
    about: "Fashion-MNIST: 70,000 grey images of 28x28 in 10 classes; 30 MiB to download",
    form: "Fashion-MNIST: four IDX files, compressed with gzip or not",
    folder: "fashion-mnist",
    files: &FILES,
    optional: &[],
    gzip: true,
    server: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    downloads: &[
        Download {
            file: "t10k-labels-idx1-ubyte.gz",
            size: 5_148,
            md5: "bb300cfdad3c16e7a12a480ee83cd310",
        },
        Download {
            file: "train-labels-idx1-ubyte.gz",
            size: 29_515,
            md5: "25c81989df183df01b3e8a0aad5dffbe",
        },
        Download {
            file: "t10k-images-idx3-ubyte.gz",
            size: 4_422_102,
            md5: "bef4ecab320f06d8554ea6380940ec79",
        },
        Download {
            file: "train-images-idx3-ubyte.gz",
            size: 26_421_880,
            md5: "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        },
    ],
};

impl ImageSet for Idx {
    fn name(&self) -> &str {
        match self {
            Self::FashionMnist => FASHION_MNIST.name,
            Self::Mnist => "mnist",
        }
    }

    fn classes(&self) -> Option<usize> {
        Some(CLASSES)
    }

    fn places(&self, data: &Path) -> Vec<PathBuf> {
        vec![data.join(self.name()), Path::new(DEBIAN).join(self.name())]
    }

    fn is_in(&self, folder: &Path) -> bool {
        plain_or_gzip(folder, FIRST).is_some()
    }

    fn count(&self, folder: &Path) -> Option<(u64, u64)> {
        count(folder)
    }

    fn read(&self, folder: &Path) -> Result<Dataset, DataError> {
        read(self.name(), folder)
    }

    fn publication(&self) -> Option<&'static Publication> {
        matches!(self, Self::FashionMnist).then_some(&FASHION_MNIST)
    }

    fn advice(&self) -> String {
        match self {
            Self::FashionMnist => fetch_or_import(FASHION_MNIST.name),
            Self::Mnist => "put its four IDX files there".to_owned(),
        }
    }
}

/// Reads the set from a folder. Fails if a file is missing, malformed or cut off, if a label is above 9, or
/// if the numbers or shapes of images and labels do not match.
fn read(name: &str, folder: &Path) -> Result<Dataset, DataError> {
    let (train, shape) = read_pair(folder, "train", None)?;
    let (test, _) = read_pair(folder, "t10k", Some(shape))?;
    Dataset::new(name, folder, shape, CLASSES, train, test)
}

/// Counts the training and test images in a folder, by the headers of its files.
fn count(folder: &Path) -> Option<(u64, u64)> {
    let labeled = |name: &str| {
        let file = BufReader::new(File::open(plain_or_gzip(folder, name)?).ok()?);
        let mut head = [0; 8];
        uncompressed(file).ok()?.read_exact(&mut head).ok()?;
        Some(u64::from(u32::from_be_bytes([head[4], head[5], head[6], head[7]])))
    };
    Some((labeled(FIRST)?, labeled("t10k-labels-idx1-ubyte")?))
}

fn read_pair(
    folder: &Path,
    part: &str,
    expected: Option<Shape>,
) -> Result<(Images, Shape), DataError> {
    let find = |name: String| {
        plain_or_gzip(folder, &name)
            .ok_or_else(|| DataError::wrong(folder, format!("there is no {name} nor {name}.gz")))
    };
    let images_path = find(format!("{part}-images-idx3-ubyte"))?;
    let labels_path = find(format!("{part}-labels-idx1-ubyte"))?;
    let ([count, height, width], pixels) = read_idx::<3>(&images_path)?;
    let ([labeled], labels) = read_idx::<1>(&labels_path)?;
    if count != labeled {
        let what =
            format!("it has {labeled} labels for the {count} images of {}", images_path.display());
        return Err(DataError::wrong(labels_path, what));
    }
    let shape = Shape::new(1, height, width);
    if let Some(expected) = expected.filter(|expected| *expected != shape) {
        let what = format!("its images are {shape}, those of the training set {expected}");
        return Err(DataError::wrong(images_path, what));
    }
    if let Some((record, label)) =
        labels.iter().enumerate().find(|(_, label)| usize::from(**label) >= CLASSES)
    {
        let what = format!(
            "record {record} (from 0) has label {label}; the labels there are 0 to {}",
            CLASSES - 1
        );
        return Err(DataError::wrong(labels_path, what));
    }
    let labels = labels.into_iter().map(u16::from).collect();
    Ok((Images { pixels, labels }, shape))
}

/// Reads the dimensions and the data of an IDX file of unsigned bytes.
fn read_idx<const N: usize>(path: &Path) -> Result<([usize; N], Vec<u8>), DataError> {
    let wrong = |what: String| DataError::wrong(path, what);
    let bytes = unpacked(path).map_err(|source| DataError::read(path, source))?;
    let word = |index: usize| -> Option<u32> {
        bytes
            .get(4 * index..4 * index + 4)
            .and_then(|it| it.try_into().ok())
            .map(u32::from_be_bytes)
    };
    // Two zero bytes, 8 for unsigned bytes, the number of sizes.
    let magic = 0x0800 + N as u32;
    match word(0) {
        Some(found) if found == magic => {}
        Some(found) => {
            return Err(wrong(format!(
                "it begins with {found:#010x}, not with {magic:#010x} as bytes of {N} sizes do"
            )));
        }
        None => return Err(wrong("it is shorter than a header".to_owned())),
    }
    let mut sizes = [0; N];
    let mut values = 1_usize;
    for (index, size) in sizes.iter_mut().enumerate() {
        let read =
            word(1 + index).ok_or_else(|| wrong("it is shorter than its header".to_owned()))?;
        *size = read as usize;
        values = values
            .checked_mul(*size)
            .ok_or_else(|| wrong("its header announces more bytes than there can be".to_owned()))?;
    }
    let found = bytes.len() - 4 * (1 + N);
    if found != values {
        let each = values.checked_div(sizes[0]).unwrap_or(1).max(1);
        let what = match found < values {
            true => format!(
                "record {} of {} (from 0) is cut off: {} of {each} bytes",
                found / each,
                sizes[0],
                found % each
            ),
            false => format!("{} bytes follow its {} records", found - values, sizes[0]),
        };
        return Err(wrong(what));
    }
    Ok((sizes, bytes[4 * (1 + N)..].to_vec()))
}

/// Opens a file for reading, decompressing it if it begins like a gzip file.
fn uncompressed(mut file: BufReader<File>) -> std::io::Result<Box<dyn Read>> {
    match file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        true => Ok(Box::new(MultiGzDecoder::new(file))),
        false => Ok(Box::new(file)),
    }
}

/// Reads the bytes of a file, decompressed if it is compressed.
fn unpacked(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = BufReader::new(File::open(path)?);
    let mut bytes = Vec::new();
    let read = uncompressed(file)?.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if read as u64 > LARGEST {
        return Err(std::io::Error::other("it is larger than 2 GiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn idx(sizes: &[u32], values: &[u8]) -> Vec<u8> {
        let magic = 0x0800 + sizes.len() as u32;
        let head = std::iter::once(magic).chain(sizes.iter().copied()).flat_map(u32::to_be_bytes);
        head.chain(values.iter().copied()).collect()
    }

    fn set(folder: &Path) {
        let write = |name: &str, bytes: Vec<u8>| std::fs::write(folder.join(name), bytes).unwrap();
        write("train-images-idx3-ubyte", idx(&[2, 2, 3], &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]));
        write("train-labels-idx1-ubyte", idx(&[2], &[9, 0]));
        write("t10k-images-idx3-ubyte", idx(&[1, 2, 3], &[6, 5, 4, 3, 2, 1]));
        write("t10k-labels-idx1-ubyte", idx(&[1], &[4]));
    }

    #[test]
    fn plain_and_compressed_files_are_the_same_set() {
        let folder = tempfile::tempdir().unwrap();
        set(folder.path());
        let plain = read("mnist", folder.path()).unwrap();
        assert_eq!((plain.shape(), plain.classes()), (Shape::new(1, 2, 3), 10));
        assert_eq!(plain.train().labels, [9, 0]);
        for name in ["train-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
            let path = folder.path().join(name);
            let file = File::create(folder.path().join(format!("{name}.gz"))).unwrap();
            let mut packed = flate2::write::GzEncoder::new(file, flate2::Compression::default());
            packed.write_all(&std::fs::read(&path).unwrap()).unwrap();
            packed.finish().unwrap();
            std::fs::remove_file(path).unwrap();
        }
        assert_eq!(read("mnist", folder.path()).unwrap().digest(), plain.digest());
        assert_eq!(count(folder.path()), Some((2, 1)));
        assert_eq!(count(&folder.path().join("elsewhere")), None);
    }

    #[test]
    fn broken_files_say_what_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        let message = |name: &str, bytes: Vec<u8>| {
            set(folder.path());
            std::fs::write(folder.path().join(name), bytes).unwrap();
            let error = read("mnist", folder.path()).unwrap_err().to_string();
            error.replace(&folder.path().display().to_string(), "DATA")
        };
        let images = "train-images-idx3-ubyte";
        let labels = "t10k-labels-idx1-ubyte";
        insta::assert_snapshot!(message(images, idx(&[2, 2, 3], &[1; 8])), @"DATA/train-images-idx3-ubyte: record 1 of 2 (from 0) is cut off: 2 of 6 bytes");
        insta::assert_snapshot!(message(images, idx(&[2, 2, 3], &[1; 13])), @"DATA/train-images-idx3-ubyte: 1 bytes follow its 2 records");
        insta::assert_snapshot!(message(images, idx(&[2], &[1; 2])), @"DATA/train-images-idx3-ubyte: it begins with 0x00000801, not with 0x00000803 as bytes of 3 sizes do");
        insta::assert_snapshot!(message(images, idx(&[u32::MAX, u32::MAX, u32::MAX], &[1; 2])), @"DATA/train-images-idx3-ubyte: its header announces more bytes than there can be");
        insta::assert_snapshot!(message(images, vec![0, 0]), @"DATA/train-images-idx3-ubyte: it is shorter than a header");
        insta::assert_snapshot!(message(labels, idx(&[1], &[10])), @"DATA/t10k-labels-idx1-ubyte: record 0 (from 0) has label 10; the labels there are 0 to 9");
        insta::assert_snapshot!(message(labels, idx(&[2], &[1, 1])), @"DATA/t10k-labels-idx1-ubyte: it has 2 labels for the 1 images of DATA/t10k-images-idx3-ubyte");
        insta::assert_snapshot!(message("t10k-images-idx3-ubyte", idx(&[1, 3, 3], &[1; 9])), @"DATA/t10k-images-idx3-ubyte: its images are 1x3x3, those of the training set 1x2x3");
    }
}
