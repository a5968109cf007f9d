//! Reader of the benchmark's own file, nasbench_only108.tfrecord.
//!
//! The format, from its public description: TFRecords (a length, the masked CRC-32C of the length, the data,
//! the masked CRC-32C of the data), each a JSON row of module hash, epochs, adjacency, operations and
//! metrics. The metrics are a `ModelMetrics` message of Protocol Buffers in Base64.

use std::collections::HashMap;
use std::io::Read;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use prost::Message;

use super::table::{Nasbench101Table, TEST_IMAGES};
use super::tfrecord::{FramingError, TfRecords};
use crate::space::nasbench101::{Cell101, CellHash, MAX_VERTICES, Op101};

/// The number of epochs of a full training.
const EPOCHS: u32 = 108;
/// The number of trainings of each cell.
const TRAININGS: u8 = 3;

/// Reasons that the official file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OfficialError {
    /// A record cannot be read.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// A record has impossible content.
    #[error(
        "record {record} at byte {offset}: {what}; the file is not the published \
         nasbench_only108.tfrecord, fetch it again"
    )]
    Row {
        /// The record's number, from 0.
        record: u64,
        /// The byte offset of the record.
        offset: u64,
        /// The problem.
        what: String,
    },
    /// A cell does not have three full trainings.
    #[error(
        "cell {hash} has {found} trainings of {EPOCHS} epochs, and the benchmark has {TRAININGS} of \
         each; fetch the file again"
    )]
    Trainings {
        /// The cell's hash.
        hash: CellHash,
        /// The number of trainings of the cell.
        found: u8,
    },
}

#[derive(Clone, PartialEq, Message)]
struct ModelMetrics {
    #[prost(message, repeated, tag = "1")]
    evaluation_data: Vec<EvaluationData>,
    #[prost(int32, optional, tag = "2")]
    trainable_parameters: Option<i32>,
    #[prost(double, optional, tag = "3")]
    total_time: Option<f64>,
}

#[derive(Clone, PartialEq, Message)]
struct EvaluationData {
    #[prost(double, optional, tag = "1")]
    current_epoch: Option<f64>,
    #[prost(double, optional, tag = "2")]
    training_time: Option<f64>,
    #[prost(double, optional, tag = "3")]
    train_accuracy: Option<f64>,
    #[prost(double, optional, tag = "4")]
    validation_accuracy: Option<f64>,
    #[prost(double, optional, tag = "5")]
    test_accuracy: Option<f64>,
    #[prost(string, optional, tag = "6")]
    checkpoint_path: Option<String>,
}

/// The rows of a cell so far, with the sum of their correct answers.
struct Seen {
    cell: Cell101,
    trainings: u8,
    correct: u16,
}

/// Reads the table, which may lack cells; rows of other epoch counts are skipped.
///
/// # Errors
/// If a record is corrupted or has impossible content, or a cell does not have three trainings.
pub(super) fn read(input: impl Read) -> Result<Nasbench101Table, OfficialError> {
    let mut records = TfRecords::new(input);
    let mut cells: HashMap<CellHash, Seen> = HashMap::new();
    loop {
        let (record, offset) = (records.record, records.offset);
        let Some(data) = records.next()? else { break };
        let row = |what| OfficialError::Row { record, offset, what };
        let (hash, epochs, adjacency, operations, metrics): (String, u32, String, String, String) =
            serde_json::from_slice(&data)
                .map_err(|error| row(format!("it is not a row of the benchmark ({error})")))?;
        if epochs != EPOCHS {
            continue;
        }
        let correct = correct_answers(&metrics).map_err(row)?;
        let hash = CellHash::parse(&hash)
            .ok_or_else(|| row(format!("`{hash}` is not a hash of 32 hexadecimal digits")))?;
        let cell = read_cell(&adjacency, &operations).map_err(row)?;
        let kept = cell.kept();
        // Cells that keep the same graph have the same hash, which takes longer to compute.
        let is_known = cells.get(&hash).is_some_and(|seen| seen.cell == kept);
        if !is_known && cell.hash() != hash {
            let found = cell.hash();
            return Err(row(format!("its cell {cell} has the hash {found}, not {hash}")));
        }
        let seen = cells.entry(hash).or_insert(Seen { cell: kept, trainings: 0, correct: 0 });
        seen.trainings = seen.trainings.saturating_add(1);
        seen.correct = seen.correct.saturating_add(correct);
    }
    let mut rows: Vec<(CellHash, Seen)> = cells.into_iter().collect();
    rows.sort_unstable_by_key(|(hash, _)| *hash);
    if let Some((hash, seen)) = rows.iter().find(|(_, seen)| seen.trainings != TRAININGS) {
        return Err(OfficialError::Trainings { hash: *hash, found: seen.trainings });
    }
    let (cells, correct) = rows.into_iter().map(|(_, seen)| (seen.cell, seen.correct)).unzip();
    Ok(Nasbench101Table::new(cells, correct))
}

/// Parses a cell from an adjacency matrix in row order and the names of its operations.
fn read_cell(adjacency: &str, operations: &str) -> Result<Cell101, String> {
    let names: Vec<&str> = operations.split(',').collect();
    let vertices = names.len();
    if !(2..=MAX_VERTICES).contains(&vertices) || adjacency.len() != vertices * vertices {
        return Err(format!(
            "{vertices} operations do not go with an adjacency of {} digits",
            adjacency.len()
        ));
    }
    if names[0] != "input" || names[vertices - 1] != "output" {
        return Err(format!("operations `{operations}` do not lead from input to output"));
    }
    let mut bits = 0;
    for (index, digit) in adjacency.bytes().enumerate() {
        let (from, to) = (index / vertices, index % vertices);
        match digit {
            b'0' => {}
            b'1' if from < to => bits |= 1 << (from + to * (to - 1) / 2),
            _ => return Err(format!("adjacency `{adjacency}` is not upper triangular")),
        }
    }
    let operation = |name: &&str| {
        let known = Op101::ALL.into_iter().find(|op| format!("{}-bn-relu", op.name()) == *name);
        known
            .or((*name == Op101::MaxPool3x3.name()).then_some(Op101::MaxPool3x3))
            .ok_or_else(|| format!("there is no operation `{name}`"))
    };
    let operations: Vec<Op101> =
        names[1..vertices - 1].iter().map(operation).collect::<Result<_, _>>()?;
    Cell101::pruned(bits, &operations).map_err(|error| error.to_string())
}

/// The correct answers of one training among its 9,984 test images.
fn correct_answers(metrics: &str) -> Result<u16, String> {
    // Encoders of MIME break lines, and the benchmark's own reader passes over that.
    let metrics: String = metrics.split_ascii_whitespace().collect();
    let bytes = BASE64_STANDARD
        .decode(metrics)
        .map_err(|error| format!("its metrics are not Base64 ({error})"))?;
    let metrics = ModelMetrics::decode(bytes.as_slice())
        .map_err(|error| format!("its metrics are not a message of Protocol Buffers ({error})"))?;
    let accuracy = metrics.evaluation_data.last().and_then(|last| last.test_accuracy);
    let accuracy = accuracy.ok_or("its metrics have no final test accuracy")?;
    let images = f64::from(TEST_IMAGES / u16::from(TRAININGS));
    let correct = (accuracy * images).round();
    if !(0.0..=images).contains(&correct) || (accuracy * images - correct).abs() > 0.01 {
        return Err(format!("test accuracy {accuracy} is no whole number of {images} images"));
    }
    Ok(correct as u16)
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::tfrecord::masked_crc;
    use super::*;

    /// The official file of some cells; all trainings of a cell have the same number of correct answers.
    pub fn file_of(cells: impl IntoIterator<Item = (Cell101, u16)>) -> Vec<u8> {
        let rows = cells.into_iter().flat_map(|(cell, correct)| {
            let vertices = cell.vertices();
            let digits = (0..vertices * vertices)
                .map(|at| if cell.has_edge(at / vertices, at % vertices) { '1' } else { '0' });
            let interior = (1..vertices - 1).map(|vertex| match cell.operation(vertex) {
                Op101::MaxPool3x3 => ",maxpool3x3".to_owned(),
                operation => format!(",{operation}-bn-relu"),
            });
            let operations = format!("input{},output", interior.collect::<String>());
            let metrics = metrics(&[0.1, 0.5, f64::from(correct) / 9984.0]);
            let hash = cell.hash().to_string();
            let row = (hash, 108, digits.collect::<String>(), operations, metrics);
            record(&serde_json::to_vec(&row).unwrap()).repeat(3)
        });
        rows.collect()
    }

    fn record(data: &[u8]) -> Vec<u8> {
        let length = (data.len() as u64).to_le_bytes();
        [&length[..], &masked_crc(&length), data, &masked_crc(data)].concat()
    }

    fn metrics(accuracies: &[f64]) -> String {
        let evaluation = |&accuracy: &f64| EvaluationData {
            current_epoch: Some(108.0),
            training_time: Some(1.5),
            train_accuracy: Some(1.0),
            validation_accuracy: Some(0.5),
            test_accuracy: Some(accuracy),
            checkpoint_path: Some("x".to_owned()),
        };
        let message = ModelMetrics {
            evaluation_data: accuracies.iter().map(evaluation).collect(),
            trainable_parameters: Some(1_000),
            total_time: Some(2.0),
        };
        BASE64_STANDARD.encode(message.encode_to_vec())
    }

    const MATRIX: &str = "0101001000010000";
    const OPERATIONS: &str = "input,conv3x3-bn-relu,conv3x3-bn-relu,output";

    fn row(hash: &str, epochs: u32, metrics: &str) -> Vec<u8> {
        let row = (hash, epochs, MATRIX, OPERATIONS, metrics);
        record(&serde_json::to_vec(&row).unwrap())
    }

    fn hash() -> String {
        Cell101::resnet_like().hash().to_string()
    }

    /// Three trainings of one cell, and a shorter training that does not count.
    fn file() -> Vec<u8> {
        let correct = [9_300, 9_301, 9_302];
        let full = correct.map(|n| row(&hash(), 108, &metrics(&[0.1, 0.5, f64::from(n) / 9984.0])));
        [full.concat(), row(&hash(), 4, &metrics(&[0.1]))].concat()
    }

    fn refusal(bytes: &[u8]) -> String {
        read(bytes).unwrap_err().to_string()
    }

    #[test]
    fn three_trainings_make_a_row() {
        let table = read(file().as_slice()).unwrap();
        assert_eq!(table.cells(), [Cell101::resnet_like()]);
        let accuracy = table.accuracy(&Cell101::resnet_like()).unwrap();
        assert_eq!(accuracy, f64::from(9_300 + 9_301 + 9_302) / 29_952.0);
    }

    /// The check value that RFC 3720, appendix B.4, gives for 32 bytes of zeros, masked.
    #[test]
    fn checksums_are_tensorflows() {
        let crc: u32 = 0x8a91_36aa;
        assert_eq!(crc32c::crc32c(&[0; 32]), crc);
        // 0x8a9136aa rotated by 15 is 0x6d551522; both sums are written out by hand.
        assert_eq!(crc.rotate_right(15), 0x6d55_1522);
        assert_eq!(masked_crc(&[0; 32]), 0x0fd7_fffau32.to_le_bytes());
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let whole = file();
        let second = 16 + u64::from_le_bytes(*whole.first_chunk().unwrap()) as usize;
        let flipped = |at: usize| {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            refusal(&bytes)
        };
        let place = format!("record 1 at byte {second}; fetch the file again");
        assert_eq!(flipped(second), format!("the length is wrong of {place}"));
        assert_eq!(flipped(second + 9), format!("the length is wrong of {place}"));
        assert_eq!(flipped(second + 40), format!("the checksum does not hold of {place}"));
        assert_eq!(flipped(2 * second - 1), format!("the checksum does not hold of {place}"));
        assert_eq!(refusal(&whole[..second + 5]), format!("it ends within {place}"));
        assert_eq!(refusal(&whole[..second + 50]), format!("it ends within {place}"));
        let unknown = "it is neither nb101.bin nor nasbench_only108.tfrecord: ";
        assert_eq!(flipped(0), format!("{unknown}the length is wrong of record 0 at byte 0"));
        assert_eq!(refusal(b""), format!("{unknown}it is empty"));
        let huge = (1u64 << 40).to_le_bytes();
        let huge = [&whole[..second], &huge, &masked_crc(&huge)].concat();
        assert_eq!(refusal(&huge), format!("1099511627776 bytes are too many for {place}"));
    }

    #[test]
    fn impossible_rows_are_refused() {
        let good = metrics(&[0.5]);
        assert_eq!(
            refusal(&[file(), row(&hash(), 108, &good)].concat()),
            format!(
                "cell {} has 4 trainings of 108 epochs, and the benchmark has 3 of each; fetch the \
                 file again",
                hash()
            )
        );
        let advice = "; the file is not the published nasbench_only108.tfrecord, fetch it again";
        let refusal = |bytes: &[u8]| {
            let error = refusal(bytes);
            error.strip_suffix(advice).unwrap_or_else(|| panic!("{error}")).to_owned()
        };
        assert_eq!(
            refusal(&row("00", 108, &good)),
            "record 0 at byte 0: `00` is not a hash of 32 hexadecimal digits"
        );
        assert_eq!(
            refusal(&row(&"0".repeat(32), 108, &good)),
            format!(
                "record 0 at byte 0: its cell conv3x3(0) conv3x3(1) output(0,2) has the hash {}, \
                 not {}",
                hash(),
                "0".repeat(32)
            )
        );
        assert_eq!(
            refusal(&row(&hash(), 108, &metrics(&[0.500_01]))),
            "record 0 at byte 0: test accuracy 0.50001 is no whole number of 9984 images"
        );
        assert_eq!(
            refusal(&row(&hash(), 108, &metrics(&[]))),
            "record 0 at byte 0: its metrics have no final test accuracy"
        );
        let error = refusal(&row(&hash(), 108, "?"));
        assert!(error.starts_with("record 0 at byte 0: its metrics are not Base64 ("), "{error}");
        let error = refusal(&row(&hash(), 108, "AAAA"));
        assert!(
            error.starts_with("record 0 at byte 0: its metrics are not a message of "),
            "{error}"
        );
        let error = refusal(&record(b"[1, 2]"));
        assert!(
            error.starts_with("record 0 at byte 0: it is not a row of the benchmark ("),
            "{error}"
        );
    }

    /// A later training must be of the same cell as the first, whatever hash it goes by.
    #[test]
    fn every_training_is_checked_against_its_hash() {
        let first = row(&hash(), 108, &metrics(&[0.5]));
        let other = ("010001000", "input,maxpool3x3,output");
        let other = (hash(), 108, other.0, other.1, metrics(&[0.5]));
        let other = record(&serde_json::to_vec(&other).unwrap());
        let error = refusal(&[&first[..], &other, &other].concat());
        let start =
            format!("record 1 at byte {}: its cell maxpool3x3(0) output(1) has", first.len());
        assert!(error.starts_with(&start), "{error}");
    }

    #[test]
    fn an_isomorphic_graph_is_the_same_cell() {
        let row = |matrix: &str, operations: &str| {
            let cell = read_cell(matrix, operations).unwrap();
            let row = (cell.hash().to_string(), 108, matrix, operations, metrics(&[0.5]));
            record(&serde_json::to_vec(&row).unwrap())
        };
        // Two branches, the other way round.
        let one = row("0110000100010000", "input,conv3x3-bn-relu,maxpool3x3,output");
        let two = row("0110000100010000", "input,maxpool3x3,conv3x3-bn-relu,output");
        let table = read([&one[..], &two, &one].concat().as_slice()).unwrap();
        let kept: Cell101 = "conv3x3(0) maxpool3x3(0) output(1,2)".parse().unwrap();
        assert_eq!(table.cells(), [kept]);
        assert_eq!(table.accuracy(&kept), Some(0.5));
    }

    #[test]
    fn metrics_may_be_broken_into_lines() {
        let metrics = metrics(&[0.1, 0.5, 0.75]);
        assert!(metrics.len() > 76);
        let lines = format!("{}\n{}\n", &metrics[..76], &metrics[76..]);
        assert_eq!(correct_answers(&lines), Ok(7_488));
        assert_eq!(correct_answers(&metrics), Ok(7_488));
    }

    #[test]
    fn impossible_cells_are_refused() {
        let refusal = |matrix, operations| read_cell(matrix, operations).unwrap_err();
        assert_eq!(refusal("0", "input"), "1 operations do not go with an adjacency of 1 digits");
        assert_eq!(
            refusal("010001000", "output,maxpool3x3,input"),
            "operations `output,maxpool3x3,input` do not lead from input to output"
        );
        assert_eq!(refusal("0110", "input,output"), "adjacency `0110` is not upper triangular");
        assert_eq!(
            refusal("010001000", "input,conv5x5-bn-relu,output"),
            "there is no operation `conv5x5-bn-relu`"
        );
        assert_eq!(
            refusal("000000000", "input,maxpool3x3,output"),
            "no path leads from the cell's input to its output"
        );
        assert_eq!(
            read_cell("010001000", "input,maxpool3x3,output").unwrap().to_string(),
            "maxpool3x3(0) output(1)"
        );
    }
}
