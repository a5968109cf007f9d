//! The validation accuracies of all NAS-Bench-201 cells, embedded in the program.
//!
//! Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search"
//! (ICLR 2020); the figures are those of NATS-Bench's topology space after 200 epochs.
//! `data/nasbench201/README.md` says where the file comes from and describes it byte by byte.

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

use md5::{Digest, Md5};

use crate::space::nasbench201::{CELL_COUNT, Cell201};

const MAGIC: &[u8; 8] = b"NB201ACC";
const VERSION: u32 = 1;
const HEADER_LENGTH: usize = 36;
const MAX_SEEDS: usize = 3;

/// The payload length in bytes if every cell was trained [`MAX_SEEDS`] times.
const LONGEST_PAYLOAD: usize = CELL_COUNT * (1 + Nasbench201Dataset::ALL.len() * MAX_SEEDS * 2);

static EMBEDDED: &[u8] = include_bytes!("../../data/nasbench201/nasbench201.bin");

/// A data set on which the benchmark trained its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Nasbench201Dataset {
    /// CIFAR-10, trained on one half of its 50,000 training images and validated on the other.
    Cifar10,
    /// CIFAR-100, trained on its 50,000 training images and validated on half of its test images.
    Cifar100,
    /// ImageNet16-120: 120 classes of ImageNet at 16x16 pixels, validated on half of its test
    /// images.
    ImageNet16,
}

impl Nasbench201Dataset {
    /// All data sets, in the order of the file.
    pub const ALL: [Self; 3] = [Self::Cifar10, Self::Cifar100, Self::ImageNet16];

    /// The name that scripts use.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::ImageNet16 => "imagenet16",
        }
    }

    /// The number of validation images (Dong and Yang 2020, section 2.2).
    pub const fn images(self) -> u16 {
        match self {
            Self::Cifar10 => 25_000,
            Self::Cifar100 => 5_000,
            Self::ImageNet16 => 3_000,
        }
    }
}

impl fmt::Display for Nasbench201Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An unknown name of a data set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "NAS-Bench-201 has no data set `{0}`; its data sets are `cifar10`, `cifar100`, `imagenet16`"
)]
pub struct UnknownDataset(pub String);

impl FromStr for Nasbench201Dataset {
    type Err = UnknownDataset;

    fn from_str(name: &str) -> Result<Self, UnknownDataset> {
        Self::ALL
            .into_iter()
            .find(|dataset| dataset.name() == name)
            .ok_or_else(|| UnknownDataset(name.to_owned()))
    }
}

/// Reasons that bytes cannot be decoded as a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nasbench201TableError {
    /// The bytes end before the table does.
    #[error(
        "the NAS-Bench-201 table is cut short: {found} bytes of {expected}; \
         write it anew with data/nasbench201/convert.py"
    )]
    Truncated {
        /// The number of bytes.
        found: usize,
        /// The number of bytes that a whole table would have.
        expected: usize,
    },
    /// The bytes are not a table.
    #[error(
        "not a NAS-Bench-201 table: it does not begin with `NB201ACC`; \
         write one with data/nasbench201/convert.py"
    )]
    Magic,
    /// The table has a format version that this program does not read.
    #[error(
        "the NAS-Bench-201 table has format version {found}, and this program reads version \
         {VERSION}; use the program that came with the table"
    )]
    Version {
        /// The format version of the table.
        found: u32,
    },
    /// The content does not match its checksum, or cannot be decoded.
    #[error(
        "the NAS-Bench-201 table is corrupted: {0}; write it anew with data/nasbench201/convert.py"
    )]
    Corrupted(String),
}

/// The validation accuracies of all 15,625 cells on three data sets, from 1 to 3 trainings each.
///
/// Rows are in the order of [`Cell201::index`]. An accuracy is a whole number of correctly classified images
/// out of [`Nasbench201Dataset::images`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nasbench201Table {
    /// The number of trainings of each cell.
    seeds: Vec<u8>,
    /// The number of correctly classified images: by data set, then by cell, then by training. Trainings that
    /// a cell lacks are 0.
    correct: Vec<[u16; MAX_SEEDS]>,
}

impl Nasbench201Table {
    /// The first 16 hexadecimal digits of a BLAKE3 hash of the embedded table.
    pub fn digest() -> String {
        blake3::hash(EMBEDDED).to_hex()[..16].to_owned()
    }

    /// Returns the table that is embedded in the program, decoded by the first call.
    ///
    /// # Errors
    /// If the program was built from a corrupted file.
    pub fn embedded() -> Result<&'static Self, &'static Nasbench201TableError> {
        static TABLE: OnceLock<Result<Nasbench201Table, Nasbench201TableError>> = OnceLock::new();
        TABLE.get_or_init(|| Self::decode(EMBEDDED)).as_ref()
    }

    /// Decodes a table.
    ///
    /// # Errors
    /// If the bytes are truncated, not a table, of another version, or corrupted.
    pub fn decode(bytes: &[u8]) -> Result<Self, Nasbench201TableError> {
        let known = bytes.len().min(MAGIC.len());
        if bytes[..known] != MAGIC[..known] {
            return Err(Nasbench201TableError::Magic);
        }
        let Some((header, body)) = bytes.split_first_chunk::<HEADER_LENGTH>() else {
            return Err(Nasbench201TableError::Truncated {
                found: bytes.len(),
                expected: HEADER_LENGTH,
            });
        };
        let field = |at: usize| {
            u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
        };
        let version = field(8);
        if version != VERSION {
            return Err(Nasbench201TableError::Version { found: version });
        }
        let (payload_length, body_length) = (field(12) as usize, field(16) as usize);
        if body.len() < body_length {
            let expected = HEADER_LENGTH.saturating_add(body_length);
            return Err(Nasbench201TableError::Truncated { found: bytes.len(), expected });
        }
        let mut hasher = Md5::new();
        hasher.update(&header[8..20]);
        hasher.update(body);
        if hasher.finalize()[..] != header[20..] || body.len() != body_length {
            return Err(corrupted("its checksum does not hold"));
        }
        if payload_length > LONGEST_PAYLOAD {
            return Err(corrupted("it claims more accuracies than the benchmark has"));
        }
        let payload = zstd::bulk::decompress(body, payload_length)
            .map_err(|error| corrupted(format!("its compressed part cannot be read ({error})")))?;
        if payload.len() != payload_length {
            return Err(corrupted("its compressed part has the wrong length"));
        }
        Self::decode_payload(&payload)
    }

    fn decode_payload(payload: &[u8]) -> Result<Self, Nasbench201TableError> {
        let mut rest = payload;
        let seeds = take(&mut rest, CELL_COUNT)?.to_vec();
        if !seeds.iter().all(|&seeds| (1..=MAX_SEEDS).contains(&usize::from(seeds))) {
            return Err(corrupted("a cell has no training, or more than 3"));
        }
        let mut correct = vec![[0; MAX_SEEDS]; Nasbench201Dataset::ALL.len() * CELL_COUNT];
        for (dataset, rows) in
            Nasbench201Dataset::ALL.into_iter().zip(correct.chunks_exact_mut(CELL_COUNT))
        {
            for seed in 0..MAX_SEEDS {
                let trained = seeds.iter().filter(|&&seeds| usize::from(seeds) > seed).count();
                let low = take(&mut rest, trained)?;
                let high = take(&mut rest, trained)?;
                let mut stored =
                    low.iter().zip(high).map(|(&low, &high)| u16::from_le_bytes([low, high]));
                for (row, &seeds) in rows.iter_mut().zip(&seeds) {
                    if usize::from(seeds) > seed
                        && let Some(value) = stored.next()
                    {
                        row[seed] = restore(value, &row[..seed])
                            .filter(|&correct| correct <= dataset.images())
                            .ok_or_else(|| corrupted("it has an accuracy outside of 0 to 1"))?;
                    }
                }
            }
        }
        if rest.is_empty() {
            Ok(Self { seeds, correct })
        } else {
            Err(corrupted(format!("{} bytes follow the last accuracy", rest.len())))
        }
    }

    /// The validation accuracy of a cell, as a fraction: the mean over its trainings.
    pub fn accuracy(&self, cell: Cell201, dataset: Nasbench201Dataset) -> f64 {
        let row = self.row(cell, dataset);
        let correct: u32 = row.iter().map(|&correct| u32::from(correct)).sum();
        f64::from(correct) / (row.len() as f64 * f64::from(dataset.images()))
    }

    /// The validation accuracies of the trainings of a cell, as fractions.
    ///
    /// They are in ascending order of the random seeds, which are among 777, 888 and 999. A cell with fewer
    /// than three trainings does not record which seeds it has.
    pub fn seeds(
        &self,
        cell: Cell201,
        dataset: Nasbench201Dataset,
    ) -> impl ExactSizeIterator<Item = f64> + '_ {
        let images = f64::from(dataset.images());
        self.row(cell, dataset).iter().map(move |&correct| f64::from(correct) / images)
    }

    /// The number of trainings of a cell, from 1 to 3, the same on each data set.
    pub fn seed_count(&self, cell: Cell201) -> usize {
        usize::from(self.seeds[cell.index()])
    }

    fn row(&self, cell: Cell201, dataset: Nasbench201Dataset) -> &[u16] {
        &self.correct[dataset as usize * CELL_COUNT + cell.index()][..self.seed_count(cell)]
    }
}

fn corrupted(what: impl Into<String>) -> Nasbench201TableError {
    Nasbench201TableError::Corrupted(what.into())
}

fn take<'b>(rest: &mut &'b [u8], length: usize) -> Result<&'b [u8], Nasbench201TableError> {
    let (head, tail) = rest
        .split_at_checked(length)
        .ok_or_else(|| corrupted("it has fewer accuracies than it claims"))?;
    *rest = tail;
    Ok(head)
}

/// Restores a count from its stored form: the zigzag-coded difference to the mean, rounded down, of the
/// counts of the earlier trainings. The first training is stored as is.
fn restore(stored: u16, earlier: &[u16]) -> Option<u16> {
    let total: u32 = earlier.iter().map(|&correct| u32::from(correct)).sum();
    let Some(mean) = total.checked_div(earlier.len() as u32) else {
        return Some(stored);
    };
    let half = i64::from(stored >> 1);
    let difference = if stored & 1 == 0 { half } else { -half - 1 };
    u16::try_from(i64::from(mean) + difference).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::nasbench201::Op201;
    use crate::test_support::data_dir;

    fn table() -> &'static Nasbench201Table {
        Nasbench201Table::embedded().unwrap()
    }

    /// Puts a header before a compressed part, as the converter does.
    fn file(version: u32, payload_length: usize, body: &[u8]) -> Vec<u8> {
        let mut lengths = version.to_le_bytes().to_vec();
        lengths.extend((payload_length as u32).to_le_bytes());
        lengths.extend((body.len() as u32).to_le_bytes());
        let digest = Md5::new().chain_update(&lengths).chain_update(body).finalize();
        [MAGIC.as_slice(), &lengths, &digest, body].concat()
    }

    fn file_of(payload: &[u8]) -> Vec<u8> {
        file(VERSION, payload.len(), &zstd::bulk::compress(payload, 1).unwrap())
    }

    fn payload() -> Vec<u8> {
        zstd::bulk::decompress(&EMBEDDED[HEADER_LENGTH..], LONGEST_PAYLOAD).unwrap()
    }

    #[test]
    fn agrees_with_the_golden_sample_of_the_source() {
        let golden = include_str!("../../tests/golden/nasbench201_sample.csv");
        let mut reader = csv::Reader::from_reader(golden.as_bytes());
        let datasets: Vec<Nasbench201Dataset> =
            reader.headers().unwrap().iter().skip(1).map(|name| name.parse().unwrap()).collect();
        assert_eq!(datasets, Nasbench201Dataset::ALL);
        let mut rows = 0;
        for record in reader.records() {
            let record = record.unwrap();
            let cell: Cell201 = record[0].parse().unwrap();
            for (&dataset, percentages) in datasets.iter().zip(record.iter().skip(1)) {
                let expected: Vec<f64> =
                    percentages.split(';').map(|p| p.parse::<f64>().unwrap() / 100.0).collect();
                let found: Vec<f64> = table().seeds(cell, dataset).collect();
                assert_eq!(found.len(), expected.len(), "{cell} {dataset}");
                assert_eq!(table().seed_count(cell), expected.len());
                for (found, expected) in found.iter().zip(&expected) {
                    // The source's values carry single-precision noise.
                    assert!((found - expected).abs() < 2e-9, "{cell} {dataset}");
                }
                let mean = expected.iter().sum::<f64>() / expected.len() as f64;
                assert!((table().accuracy(cell, dataset) - mean).abs() < 2e-9);
            }
            rows += 1;
        }
        assert_eq!(rows, 50);
    }

    /// The best validation accuracies, from Dong and Yang 2020, table 5.
    #[test]
    fn the_best_cells_are_the_published_ones() {
        let best = |dataset| {
            Cell201::all().map(|cell| table().accuracy(cell, dataset)).fold(0.0, f64::max)
        };
        assert_eq!(format!("{:.2}", 100.0 * best(Nasbench201Dataset::Cifar10)), "91.61");
        assert_eq!(format!("{:.2}", 100.0 * best(Nasbench201Dataset::Cifar100)), "73.49");
    }

    #[test]
    fn a_cell_without_a_live_edge_guesses_and_others_do_not() {
        let guess = [9.712 / 100.0, 0.01, 0.25 / 30.0];
        let mut dead = 0;
        for cell in Cell201::all() {
            let is_dead = cell.live_edges() == [false; 6];
            dead += usize::from(is_dead);
            for (dataset, guess) in Nasbench201Dataset::ALL.into_iter().zip(guess) {
                let guesses = table().seeds(cell, dataset).all(|seed| (seed - guess).abs() < 1e-12);
                // A few live cells learn nothing on the hardest data set.
                let excused = dataset == Nasbench201Dataset::ImageNet16 && !is_dead;
                assert!(guesses == is_dead || excused, "{cell} {dataset}");
            }
        }
        assert_eq!(dead, 341);
    }

    /// The other source averages over all or over some of the same trainings, and prints percent
    /// with five decimals.
    #[test]
    fn agrees_with_another_source_of_the_benchmark() {
        let Some(dir) = data_dir() else { return };
        let compressed = std::fs::File::open(dir.join("nasbench201/nb201.csv.zst")).unwrap();
        let mut reader = csv::Reader::from_reader(zstd::Decoder::new(compressed).unwrap());
        let column = |name: &str, headers: &csv::StringRecord| {
            headers.iter().position(|header| header == name).unwrap()
        };
        let headers = reader.headers().unwrap().clone();
        let (arch, mean) = (column("arch", &headers), column("c10_val200", &headers));
        let (mut rows, mut same) = (0, 0);
        for record in reader.records() {
            let record = record.unwrap();
            let cell: Cell201 = record[arch].parse().unwrap();
            let expected = record[mean].parse::<f64>().unwrap() / 100.0;
            let close = |value: f64| (value - expected).abs() < 6e-8;
            let seeds: Vec<f64> = table().seeds(cell, Nasbench201Dataset::Cifar10).collect();
            let some = (1u32..1 << seeds.len()).any(|subset| {
                let chosen = seeds.iter().enumerate().filter(|(seed, _)| subset >> seed & 1 == 1);
                close(chosen.map(|(_, value)| value).sum::<f64>() / f64::from(subset.count_ones()))
            });
            assert!(some, "{cell}: {seeds:?} against {expected}");
            rows += 1;
            same += usize::from(close(table().accuracy(cell, Nasbench201Dataset::Cifar10)));
        }
        assert_eq!((rows, same), (CELL_COUNT, 13_207));
    }

    #[test]
    fn a_truncated_table_is_refused() {
        for length in [0, 7, 8, 35, 36, 1000, EMBEDDED.len() - 1] {
            let expected = if length < HEADER_LENGTH { HEADER_LENGTH } else { EMBEDDED.len() };
            assert_eq!(
                Nasbench201Table::decode(&EMBEDDED[..length]),
                Err(Nasbench201TableError::Truncated { found: length, expected })
            );
        }
    }

    #[test]
    fn another_file_is_refused() {
        assert_eq!(Nasbench201Table::decode(b"PK"), Err(Nasbench201TableError::Magic));
        assert_eq!(Nasbench201Table::decode(&[0; 100]), Err(Nasbench201TableError::Magic));
    }

    #[test]
    fn another_version_is_refused() {
        for found in [0, 2, u32::MAX] {
            assert_eq!(
                Nasbench201Table::decode(&file(found, 0, b"")),
                Err(Nasbench201TableError::Version { found })
            );
        }
    }

    #[test]
    fn a_flipped_bit_is_never_accepted() {
        let mut bytes = EMBEDDED.to_vec();
        for at in (0..HEADER_LENGTH).chain((HEADER_LENGTH..bytes.len()).step_by(997)) {
            for bit in 0..8 {
                bytes[at] ^= 1 << bit;
                let error = Nasbench201Table::decode(&bytes).unwrap_err();
                let fits = match at {
                    0..8 => error == Nasbench201TableError::Magic,
                    8..12 => matches!(error, Nasbench201TableError::Version { .. }),
                    12..20 => {
                        matches!(
                            error,
                            Nasbench201TableError::Truncated { .. }
                                | Nasbench201TableError::Corrupted(_)
                        )
                    }
                    _ => matches!(error, Nasbench201TableError::Corrupted(_)),
                };
                assert!(fits, "bit {bit} of byte {at}: {error}");
                bytes[at] ^= 1 << bit;
            }
        }
        bytes.push(0);
        assert!(matches!(
            Nasbench201Table::decode(&bytes),
            Err(Nasbench201TableError::Corrupted(_))
        ));
    }

    #[test]
    fn a_table_with_impossible_contents_is_refused() {
        let payload = payload();
        assert_eq!(&Nasbench201Table::decode(&file_of(&payload)).unwrap(), table());

        let refusal = |bytes: &[u8]| match Nasbench201Table::decode(bytes) {
            Err(Nasbench201TableError::Corrupted(what)) => what,
            other => panic!("{:?}", other.map(|_| ())),
        };
        let changed = |at: usize, byte: u8| {
            let mut payload = payload.clone();
            payload[at] = byte;
            refusal(&file_of(&payload))
        };
        assert_eq!(changed(0, 0), "a cell has no training, or more than 3");
        assert_eq!(changed(CELL_COUNT - 1, 4), "a cell has no training, or more than 3");
        let high_bytes_of_first_seed = 2 * CELL_COUNT;
        assert_eq!(changed(high_bytes_of_first_seed, 255), "it has an accuracy outside of 0 to 1");
        let short = &payload[..payload.len() - 1];
        assert_eq!(refusal(&file_of(short)), "it has fewer accuracies than it claims");
        let long = [payload.as_slice(), &[0, 0]].concat();
        assert_eq!(refusal(&file_of(&long)), "2 bytes follow the last accuracy");
        assert_eq!(
            refusal(&file(VERSION, LONGEST_PAYLOAD + 1, b"")),
            "it claims more accuracies than the benchmark has"
        );
        let body = zstd::bulk::compress(&payload, 1).unwrap();
        assert_eq!(
            refusal(&file(VERSION, payload.len() + 1, &body)),
            "its compressed part has the wrong length"
        );
        assert!(
            refusal(&file(VERSION, payload.len(), b"no zstd frame"))
                .starts_with("its compressed part cannot be read (")
        );
    }

    #[test]
    fn errors_say_what_to_do() {
        let text = |bytes: &[u8]| Nasbench201Table::decode(bytes).unwrap_err().to_string();
        assert_eq!(
            text(b"NB201ACC"),
            "the NAS-Bench-201 table is cut short: 8 bytes of 36; write it anew with \
             data/nasbench201/convert.py"
        );
        assert_eq!(
            text(&file(2, 0, b"")),
            "the NAS-Bench-201 table has format version 2, and this program reads version 1; use \
             the program that came with the table"
        );
    }

    #[test]
    fn data_sets_have_the_names_of_scripts() {
        for dataset in Nasbench201Dataset::ALL {
            assert_eq!(dataset.to_string().parse(), Ok(dataset));
        }
        assert_eq!(
            "ImageNet16-120".parse::<Nasbench201Dataset>().unwrap_err().to_string(),
            "NAS-Bench-201 has no data set `ImageNet16-120`; its data sets are `cifar10`, \
             `cifar100`, `imagenet16`"
        );
    }

    #[test]
    fn counts_are_restored_from_folded_differences() {
        assert_eq!(restore(700, &[]), Some(700));
        assert_eq!(restore(0, &[700]), Some(700));
        assert_eq!(restore(1, &[700]), Some(699));
        assert_eq!(restore(2, &[700, 703]), Some(702));
        assert_eq!(restore(3, &[1]), None);
        assert_eq!(restore(u16::MAX - 1, &[40_000]), None);
    }

    #[test]
    fn the_resnet_cell_has_two_trainings() {
        use Op201::{Conv3x3, None, SkipConnect};
        let resnet = Cell201::new([Conv3x3, None, Conv3x3, SkipConnect, None, SkipConnect]);
        assert_eq!(table().seed_count(resnet), 2);
        assert!((table().accuracy(resnet, Nasbench201Dataset::Cifar10) - 0.9086).abs() < 1e-12);
        assert!((table().accuracy(resnet, Nasbench201Dataset::Cifar100) - 0.705).abs() < 1e-12);
        assert!((table().accuracy(resnet, Nasbench201Dataset::ImageNet16) - 0.441).abs() < 1e-12);
    }
}
