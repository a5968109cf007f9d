//! The encoding of a journal's records: a kind, a checksum, and one or many trials.
//!
//! The bytes are the kind (1 byte), the CRC-32C of the key, the kind and the rest (4 bytes, little-endian),
//! and the rest: for [`SINGLE`] an [`Entry`] in postcard's encoding; for [`PACKED`] the length of a
//! [`TrialBlock`] in postcard's encoding (4 bytes, little-endian) and the block, compressed by Zstandard.

use std::io;

use super::trial::Entry;
use super::trial_block::TrialBlock;

/// The kind of a record with one trial.
pub(in crate::store) const SINGLE: u8 = 0;
/// The kind of a record with a whole block.
pub(in crate::store) const PACKED: u8 = 1;
/// The magic number at the beginning of a Zstandard frame (RFC 8878, 3.1.1).
pub(in crate::store) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The compression level: Zstandard's default. Higher levels take several times as long and save a few
/// percent.
const LEVEL: i32 = 3;

/// The content of a journal's record.
pub(in crate::store) enum JournalRecord {
    /// One trial.
    Single(Box<Entry>),
    /// A whole block.
    Packed(Box<TrialBlock>),
}

/// An entry of a journal that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub(in crate::store) enum EntryError {
    /// It has no bytes.
    #[error("it is empty")]
    Empty,
    /// It ends within its head.
    #[error("it is cut short")]
    Cut,
    /// The checksum is not that of its bytes.
    #[error("its checksum does not hold")]
    Checksum,
    /// Neither one trial nor a block.
    #[error("its kind {0} is unknown")]
    Kind(u8),
    /// The columns of a block differ in length.
    #[error("its columns do not fit each other")]
    Columns,
    /// A block of more than [`TrialBlock::MAX_BYTES`].
    #[error("{0} bytes are too many")]
    TooLarge(usize),
    /// The values cannot be encoded or decoded.
    #[error(transparent)]
    Encoding(#[from] postcard::Error),
    /// Zstandard fails.
    #[error(transparent)]
    Compression(#[from] io::Error),
}

/// Encodes one trial.
pub(in crate::store) fn single(key: &[u8], entry: &Entry) -> Result<Vec<u8>, EntryError> {
    Ok(framed(key, SINGLE, &postcard::to_stdvec(entry)?))
}

/// Encodes a whole block. Fails if it exceeds [`TrialBlock::MAX_BYTES`].
pub(in crate::store) fn packed(key: &[u8], block: &TrialBlock) -> Result<Vec<u8>, EntryError> {
    let bytes = postcard::to_stdvec(block)?;
    let length =
        u32::try_from(bytes.len()).ok().filter(|&length| length as usize <= TrialBlock::MAX_BYTES);
    let length = length.ok_or(EntryError::TooLarge(bytes.len()))?;
    let small = zstd::bulk::compress(&bytes, LEVEL)?;
    Ok(framed(key, PACKED, &[&length.to_le_bytes(), small.as_slice()].concat()))
}

impl TrialBlock {
    /// Returns the size of the packed block in a journal, in bytes; `None` if it is too large to be stored.
    pub fn stored_bytes(&self) -> Option<usize> {
        Some(packed(&[], self).ok()?.len())
    }
}

/// Returns true if a record contains a whole block, according to its first byte.
pub(in crate::store) fn is_packed(value: &[u8]) -> bool {
    value.first() == Some(&PACKED)
}

/// Returns true if the kind of a record is known and its checksum matches.
pub(in crate::store) fn is_whole(key: &[u8], value: &[u8]) -> bool {
    let Some((&kind, checked)) = value.split_first() else { return false };
    let Some((sum, rest)) = checked.split_first_chunk::<4>() else { return false };
    [SINGLE, PACKED].contains(&kind) && u32::from_le_bytes(*sum) == checksum(key, kind, rest)
}

/// Checks and decodes a record.
pub(in crate::store) fn read(key: &[u8], value: &[u8]) -> Result<JournalRecord, EntryError> {
    let (&kind, checked) = value.split_first().ok_or(EntryError::Empty)?;
    let (sum, rest) = checked.split_first_chunk::<4>().ok_or(EntryError::Cut)?;
    if u32::from_le_bytes(*sum) != checksum(key, kind, rest) {
        return Err(EntryError::Checksum);
    }
    match kind {
        SINGLE => Ok(JournalRecord::Single(Box::new(postcard::from_bytes(rest)?))),
        PACKED => {
            let (length, small) = rest.split_first_chunk::<4>().ok_or(EntryError::Cut)?;
            let length = (u32::from_le_bytes(*length) as usize).min(TrialBlock::MAX_BYTES);
            let bytes = zstd::bulk::decompress(small, length)?;
            let block: TrialBlock = postcard::from_bytes(&bytes)?;
            if !block.is_sound() {
                return Err(EntryError::Columns);
            }
            Ok(JournalRecord::Packed(Box::new(block)))
        }
        other => Err(EntryError::Kind(other)),
    }
}

fn framed(key: &[u8], kind: u8, rest: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(rest.len() + 5);
    value.push(kind);
    value.extend_from_slice(&checksum(key, kind, rest).to_le_bytes());
    value.extend_from_slice(rest);
    value
}

/// Computes the checksum of a record. It covers the key, so that a record under another key is detected.
fn checksum(key: &[u8], kind: u8, rest: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(key), &[kind]), rest)
}
