//! A search for records of journals in arbitrary bytes, where neither their positions nor their runs are
//! known.

use std::collections::BTreeSet;

use super::super::format::entry_codec::{self, PACKED, SINGLE, ZSTD};
use super::super::format::keys;
use super::super::format::trial::Entry;
use super::super::format::trial_block::TrialBlock;

/// The bytes of a record before its content: the kind and the checksum.
const HEAD: usize = 5;
/// The beginning of the record of a run.
const RECORD: &[u8] = b"{\"name\":\"";
/// The most bytes in which one unpacked trial is looked for.
const MAX_BYTES: usize = 256 << 10;

/// Returns the journal records of the given runs in `bytes`, with their keys. Their checksums match.
pub(super) fn carve<'a>(bytes: &'a [u8], runs: &BTreeSet<String>) -> Vec<(Vec<u8>, &'a [u8])> {
    let mut found = Vec::new();
    let mut at = 0;
    while at + HEAD < bytes.len() {
        let rest = &bytes[at..];
        let entry = match rest[0] {
            SINGLE => single(rest),
            PACKED => packed(rest),
            _ => None,
        };
        let placed = entry.and_then(|(step, length)| {
            let value = &rest[..length];
            let mut keys = runs.iter().map(|run| keys::key(run, step));
            Some((keys.find(|key| entry_codec::is_whole(key, value))?, value))
        });
        at += placed.as_ref().map_or(1, |(_, value)| value.len());
        found.extend(placed);
    }
    found
}

/// Returns the names of the runs whose records, intact or not, begin in `bytes`.
pub(super) fn carve_names(bytes: &[u8]) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(RECORD.len()).position(|text| text == RECORD) {
        rest = &rest[at + RECORD.len()..];
        let name = rest.iter().position(|&byte| byte == b'"').map(|end| &rest[..end]);
        let name = name.and_then(|name| std::str::from_utf8(name).ok());
        names.extend(
            name.filter(|name| !name.is_empty() && !name.contains('\0')).map(str::to_owned),
        );
    }
    names
}

/// Decodes the unpacked trial at the beginning of `bytes`; returns its step and the record's length.
fn single(bytes: &[u8]) -> Option<(u64, usize)> {
    let content = &bytes[HEAD..bytes.len().min(MAX_BYTES)];
    let (entry, rest) = postcard::take_from_bytes::<Entry>(content).ok()?;
    Some((entry.trial.step, HEAD + content.len() - rest.len()))
}

/// Decodes the packed block at the beginning of `bytes`; returns its first step and the record's length.
fn packed(bytes: &[u8]) -> Option<(u64, usize)> {
    let (length, small) = bytes[HEAD..].split_first_chunk::<4>()?;
    if !small.starts_with(&ZSTD) {
        return None;
    }
    let size = zstd::zstd_safe::find_frame_compressed_size(small).ok()?;
    let small = small.get(..size)?;
    let length = u32::from_le_bytes(*length) as usize;
    // A compressed byte is of no more than this many.
    let length = length.min(TrialBlock::MAX_BYTES).min(size.saturating_mul(1 << 15));
    let block = zstd::bulk::decompress(small, length).ok()?;
    let block: TrialBlock = postcard::from_bytes(&block).ok()?;
    Some((block.first(), HEAD + 4 + size))
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::entry;
    use super::*;

    #[test]
    fn entries_are_found_wherever_they_are() {
        let runs = BTreeSet::from(["a-1".to_owned(), "a-2".to_owned(), "b-1/x".to_owned()]);
        let entries: Vec<Entry> = (128..256).map(|step| entry(step, 0.5)).collect();
        let (first, second, third) =
            (keys::key("a-2", 128), keys::key("b-1/x", 7), keys::key("other", 8));
        let block = entry_codec::packed(&first, &TrialBlock::of(entries.iter())).unwrap();
        let trial = entry_codec::single(&second, &entry(7, 0.25)).unwrap();
        let foreign = entry_codec::single(&third, &entry(8, 0.25)).unwrap();
        let mut bytes = vec![0, 1, 0, 0, 0, 0, 0, 9];
        bytes.extend_from_slice(&block);
        bytes.extend_from_slice(&foreign);
        bytes.extend_from_slice(&[1, 0x28, 0xb5]);
        bytes.extend_from_slice(&trial);
        let found = carve(&bytes, &runs);
        assert_eq!(found, [(first, block.as_slice()), (second, trial.as_slice())]);
        let mut record = b"xx{\"name\":\"".to_vec();
        record.extend_from_slice(b"a-7\",\"number\"{\"name\":\"b");
        assert_eq!(carve_names(&record), ["a-7"]);
        bytes.truncate(bytes.len() - 1);
        bytes[30] ^= 4;
        assert!(carve(&bytes, &runs).is_empty());
    }
}
