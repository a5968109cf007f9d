//! The encoding of a journal's records: a kind, a checksum, and one or many trials.
//!
//! The bytes are the kind (1 byte), the CRC-32C of the key, the kind and the rest (4 bytes, little-endian),
//! and the rest: for [`SINGLE`] an [`Entry`] in postcard's encoding; for [`PACKED`] the length of a
//! [`Stretch`] in postcard's encoding (4 bytes, little-endian) and the stretch, compressed by Zstandard.

use super::trial::Entry;
use super::trial_block::Stretch;

/// The kind of a record with one trial.
pub(in crate::store) const SINGLE: u8 = 0;
/// The kind of a record with a whole stretch.
pub(in crate::store) const PACKED: u8 = 1;
/// The magic number at the beginning of a Zstandard frame (RFC 8878, 3.1.1).
pub(in crate::store) const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The compression level: Zstandard's default. Higher levels take several times as long and save a few
/// percent.
const LEVEL: i32 = 3;

/// The content of a journal's record.
pub(in crate::store) enum Packing {
    /// One trial.
    Single(Box<Entry>),
    /// A whole stretch.
    Packed(Box<Stretch>),
}

/// Encodes one trial. The error is a message.
pub(in crate::store) fn single(key: &[u8], entry: &Entry) -> Result<Vec<u8>, String> {
    let rest = postcard::to_stdvec(entry).map_err(|error| error.to_string())?;
    Ok(framed(key, SINGLE, &rest))
}

/// Encodes a whole stretch. Fails if it exceeds [`Stretch::MAX_BYTES`]; the error is a message.
pub(in crate::store) fn packed(key: &[u8], stretch: &Stretch) -> Result<Vec<u8>, String> {
    let bytes = postcard::to_stdvec(stretch).map_err(|error| error.to_string())?;
    let length =
        u32::try_from(bytes.len()).ok().filter(|&length| length as usize <= Stretch::MAX_BYTES);
    let length = length.ok_or_else(|| format!("{} bytes are too many", bytes.len()))?;
    let small = zstd::bulk::compress(&bytes, LEVEL).map_err(|error| error.to_string())?;
    Ok(framed(key, PACKED, &[&length.to_le_bytes(), small.as_slice()].concat()))
}

impl Stretch {
    /// Returns the size of the packed stretch in a journal, in bytes; `None` if it is too large to be stored.
    pub fn stored_bytes(&self) -> Option<usize> {
        Some(packed(&[], self).ok()?.len())
    }
}

/// Returns true if a record contains a whole stretch, according to its first byte.
pub(in crate::store) fn is_packed(value: &[u8]) -> bool {
    value.first() == Some(&PACKED)
}

/// Returns true if the kind of a record is known and its checksum matches.
pub(in crate::store) fn is_whole(key: &[u8], value: &[u8]) -> bool {
    let Some((&kind, checked)) = value.split_first() else { return false };
    let Some((sum, rest)) = checked.split_first_chunk::<4>() else { return false };
    [SINGLE, PACKED].contains(&kind) && u32::from_le_bytes(*sum) == checksum(key, kind, rest)
}

/// Checks and decodes a record. The error is a message whose subject is the trial's record.
pub(in crate::store) fn read(key: &[u8], value: &[u8]) -> Result<Packing, String> {
    let (&kind, checked) = value.split_first().ok_or("it is empty")?;
    let (sum, rest) = checked.split_first_chunk::<4>().ok_or("it is cut short")?;
    if u32::from_le_bytes(*sum) != checksum(key, kind, rest) {
        return Err("its checksum does not hold".to_owned());
    }
    match kind {
        SINGLE => {
            let entry = postcard::from_bytes(rest).map_err(|error| error.to_string())?;
            Ok(Packing::Single(Box::new(entry)))
        }
        PACKED => {
            let (length, small) = rest.split_first_chunk::<4>().ok_or("it is cut short")?;
            let length = (u32::from_le_bytes(*length) as usize).min(Stretch::MAX_BYTES);
            let bytes = zstd::bulk::decompress(small, length).map_err(|error| error.to_string())?;
            let stretch: Stretch =
                postcard::from_bytes(&bytes).map_err(|error| error.to_string())?;
            if !stretch.is_sound() {
                return Err("its columns do not fit each other".to_owned());
            }
            Ok(Packing::Packed(Box::new(stretch)))
        }
        other => Err(format!("its kind {other} is unknown")),
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
