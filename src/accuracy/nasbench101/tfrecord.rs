//! The framing of a TFRecord file: length, masked CRC-32C of the length, data, masked CRC-32C of the
//! data.

use std::io::{ErrorKind, Read};

/// The maximum length of a record in bytes; real records have a few hundred.
const LONGEST_RECORD: u64 = 1 << 16;

/// Reasons that a record cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// An I/O error.
    #[error("record {record} at byte {offset} cannot be read: {source}")]
    Read {
        /// The record's number, from 0.
        record: u64,
        /// The byte offset of the record.
        offset: u64,
        /// The reason.
        source: std::io::Error,
    },
    /// The first record is invalid, so the file is something else.
    #[error("it is neither nb101.bin nor nasbench_only108.tfrecord: {0}")]
    Unknown(String),
    /// A later record is corrupted.
    #[error("{0}; fetch the file again")]
    Damaged(String),
}

/// A reader of consecutive TFRecords.
pub(super) struct TfRecords<R> {
    input: R,
    /// The number of the next record, from 0.
    pub(super) record: u64,
    /// The byte offset of the next record.
    pub(super) offset: u64,
}

impl<R: Read> TfRecords<R> {
    /// Makes a reader that starts at the first record.
    pub(super) const fn new(input: R) -> Self {
        Self { input, record: 0, offset: 0 }
    }

    /// Returns the data of the next record, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, FramingError> {
        let header = self.take(12)?;
        if header.is_empty() {
            if self.record == 0 {
                return Err(FramingError::Unknown("it is empty".to_owned()));
            }
            return Ok(None);
        }
        let ends = |records: &Self| records.damaged("it ends within");
        let (Some((length, check)), 12) = (header.split_first_chunk::<8>(), header.len()) else {
            return Err(ends(self));
        };
        let size = u64::from_le_bytes(*length);
        if masked_crc(length) != check {
            return Err(self.damaged("the length is wrong of"));
        }
        if size > LONGEST_RECORD {
            return Err(self.damaged(&format!("{size} bytes are too many for")));
        }
        let mut data = self.take(size + 4)?;
        let Some(at) = data.len().checked_sub(4).filter(|&at| at as u64 == size) else {
            return Err(ends(self));
        };
        if masked_crc(&data[..at]) != data[at..] {
            return Err(self.damaged("the checksum does not hold of"));
        }
        data.truncate(at);
        self.record += 1;
        self.offset += size + 16;
        Ok(Some(data))
    }

    /// Reads `count` bytes, or fewer at the end.
    fn take(&mut self, count: u64) -> Result<Vec<u8>, FramingError> {
        let mut bytes = Vec::new();
        match self.input.by_ref().take(count).read_to_end(&mut bytes) {
            Err(source) if source.kind() != ErrorKind::UnexpectedEof => {
                Err(FramingError::Read { record: self.record, offset: self.offset, source })
            }
            _ => Ok(bytes),
        }
    }

    fn damaged(&self, what: &str) -> FramingError {
        let text = format!("{what} record {} at byte {}", self.record, self.offset);
        if self.record == 0 { FramingError::Unknown(text) } else { FramingError::Damaged(text) }
    }
}

/// TensorFlow's masked checksum: CRC-32C, rotated right by 15 bits, plus a constant.
pub(super) fn masked_crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}
