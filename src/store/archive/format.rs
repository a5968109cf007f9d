//! The form of an archive: what its entries are called and what is in them.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

/// The version of the archive's form; how the store within is laid out has a version of its own.
pub(super) const VERSION: u32 = 1;
/// What an archive says that it is.
pub(super) const KIND: &str = "tandem store archive";

/// The first entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// What the names of a tree's entries begin with.
pub(super) const TREES: &str = "trees/";
/// What the names of files beside the database begin with.
pub(super) const FILES: &str = "files/trainings/";
/// The last entry but one: the BLAKE3 hash of each entry before it, as `b3sum` writes them.
pub(super) const CHECKSUMS: &str = "checksums";
/// The last entry.
pub(super) const END: &str = "end.json";

/// The first entry: what this is.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`KIND`].
    pub kind: String,
    /// [`VERSION`].
    pub version: u32,
    /// The version of the store's layout.
    pub format: u32,
}

/// What there is of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeTotals {
    /// Records.
    pub records: u64,
    /// Bytes of their keys and values.
    pub bytes: u64,
}

/// What there is in an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// The trees by name, as names are written in the archive.
    pub trees: BTreeMap<String, TreeTotals>,
    /// Files beside the database.
    pub files: u64,
}

impl Totals {
    /// Records of all trees.
    pub fn records(&self) -> u64 {
        self.trees.values().map(|tree| tree.records).sum()
    }

    /// Bytes of the keys and values of all trees.
    pub fn bytes(&self) -> u64 {
        self.trees.values().map(|tree| tree.bytes).sum()
    }
}

/// The last entry: what there must have been.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct End {
    /// What there is in the archive.
    pub totals: Totals,
    /// The BLAKE3 hash of the entry with the hashes: that of the whole.
    pub blake3: String,
}

/// A name as it is written in an archive: all bytes but letters, digits, `_`, `-`, and `.` within it
/// are a `%` and two hexadecimal digits.
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

/// Reads a name of an archive; `None` if it is not written as [`encode_name`] does.
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

/// The name of a part of a tree.
pub(super) fn part_name(tree: &[u8], part: u64) -> String {
    format!("{TREES}{}/{part:08}", encode_name(tree))
}

/// Adds a record to a part of a tree.
///
/// A record is the length of its key, the length of its value (each 4 bytes, the lowest first), the key and the
/// value. `None` if one of them is longer than 4 GiB.
pub(super) fn push_record(part: &mut Vec<u8>, key: &[u8], value: &[u8]) -> Option<()> {
    part.extend_from_slice(&u32::try_from(key.len()).ok()?.to_le_bytes());
    part.extend_from_slice(&u32::try_from(value.len()).ok()?.to_le_bytes());
    part.extend_from_slice(key);
    part.extend_from_slice(value);
    Some(())
}

/// Takes the first record off a part of a tree; `None` if it is cut off.
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
