//! The format of an archive: the names and contents of its entries.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// The version of the archive's format; the layout of the store has another version.
pub(super) const VERSION: u32 = 1;
/// The value of [`Manifest::kind`], by which an archive is recognized.
pub(super) const KIND: &str = "tandem store archive";

/// The name of the first entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// The prefix of the names of entries with parts of trees.
pub(super) const TREES: &str = "trees/";
/// The prefix of the names of entries with files beside the database.
pub(super) const FILES: &str = "files/trainings/";
/// The name of the last entry but one, with the BLAKE3 hash of each entry before it, in the format of
/// `b3sum`.
pub(super) const CHECKSUMS: &str = "checksums";
/// The name of the last entry.
pub(super) const END: &str = "end.json";

/// The first entry: the kind and versions of the archive.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// The kind of file, [`KIND`].
    pub kind: String,
    /// The version of the archive's format, [`VERSION`].
    pub version: u32,
    /// The version of the store's layout.
    pub format: u32,
}

/// The size of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeTotals {
    /// The number of records.
    pub records: u64,
    /// The bytes of all keys and values.
    pub bytes: u64,
}

/// The size of the contents of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The size of each tree by its name, encoded as in the archive.
    pub trees: BTreeMap<String, TreeTotals>,
    /// The number of files beside the database.
    pub files: u64,
}

impl Totals {
    /// Returns the number of records of all trees.
    pub fn records(&self) -> u64 {
        self.trees.values().map(|tree| tree.records).sum()
    }

    /// Returns the bytes of the keys and values of all trees.
    pub fn bytes(&self) -> u64 {
        self.trees.values().map(|tree| tree.bytes).sum()
    }
}

/// The last entry: the expected contents of the archive.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ArchiveEnd {
    /// The size of the contents.
    pub totals: Totals,
    /// The BLAKE3 hash of the entry with the hashes, and so of the whole archive.
    pub blake3: String,
}

/// Encodes a name for an archive. ASCII letters, digits, `_`, `-` and any `.` but a leading one stand for
/// themselves; other bytes become a `%` and two hexadecimal digits.
pub(super) fn encode_name(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    for (index, &byte) in name.iter().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => text.push(byte.into()),
            b'.' if index > 0 => text.push('.'),
            _ => {
                let _ = write!(text, "%{byte:02x}");
            }
        }
    }
    text
}

/// Decodes a name; `None` unless [`encode_name`] would encode it in the same way.
pub(super) fn decode_name(text: &str) -> Option<Vec<u8>> {
    let mut name = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        name.push(match byte {
            b'%' => {
                let digits = [bytes.next()?, bytes.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            _ => byte,
        });
    }
    (!name.is_empty() && encode_name(&name) == text).then_some(name)
}

/// Returns the name of the entry with a part of a tree.
pub(super) fn part_name(tree: &[u8], part: u64) -> String {
    format!("{TREES}{}/{part:08}", encode_name(tree))
}

/// Appends a record to a part of a tree; `None` if its key or value is longer than 4 GiB.
///
/// A record is the length of its key, the length of its value (4 bytes each, little-endian), the key and the
/// value.
pub(super) fn push_record(part: &mut Vec<u8>, key: &[u8], value: &[u8]) -> Option<()> {
    part.extend_from_slice(&u32::try_from(key.len()).ok()?.to_le_bytes());
    part.extend_from_slice(&u32::try_from(value.len()).ok()?.to_le_bytes());
    part.extend_from_slice(key);
    part.extend_from_slice(value);
    Some(())
}

/// Removes the first record from a part of a tree; `None` if it is cut short.
pub(super) fn take_record<'a>(part: &mut &'a [u8]) -> Option<(&'a [u8], &'a [u8])> {
    let (key, rest) = part.split_first_chunk::<4>()?;
    let (value, rest) = rest.split_first_chunk::<4>()?;
    let (key, rest) = rest.split_at_checked(u32::from_le_bytes(*key) as usize)?;
    let (value, rest) = rest.split_at_checked(u32::from_le_bytes(*value) as usize)?;
    *part = rest;
    Some((key, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_in_one_way() {
        for (name, text) in [
            (&b"runs"[..], "runs"),
            (b"a.b-c_9", "a.b-c_9"),
            (b"..", "%2e."),
            (b"a/b\0\xff%", "a%2fb%00%ff%25"),
        ] {
            assert_eq!(encode_name(name), text);
            assert_eq!(decode_name(text).as_deref(), Some(name));
        }
        for text in ["", ".", "..", "a/b", "%", "%4", "%zz", "%41", "%2F", "%+1", "é"] {
            assert_eq!(decode_name(text), None, "{text}");
        }
    }

    #[test]
    fn records_follow_each_other() {
        let mut part = Vec::new();
        let records = [(&b""[..], &b""[..]), (b"k", b""), (b"", b"v"), (b"\xff\0", b"long value")];
        for (key, value) in records {
            push_record(&mut part, key, value).unwrap();
        }
        let mut rest = part.as_slice();
        for record in records {
            assert_eq!(take_record(&mut rest), Some(record));
        }
        assert_eq!(rest, b"");
        for cut in 0..18 {
            assert_eq!(take_record(&mut &part[part.len() - 20..][..cut]), None);
        }
    }
}
