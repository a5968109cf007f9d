//! sled's snapshots: the pages at the time when the database was last opened.
//!
//! A snapshot shows which messages the log must still have, and up to where the log was intact.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use crc32fast::Hasher;

use super::format::{fixed, number};

/// The prefix of the names of snapshots.
const NAME: &str = "snap.";

/// A snapshot.
#[derive(Debug)]
pub struct Snapshot {
    /// The position in the log up to which it applies.
    pub lsn: i64,
    /// For each page, the positions in the log of its messages, and their offsets in the file.
    pub pages: HashMap<u64, Vec<(i64, u64)>>,
}

/// Returns true if a name is that of a snapshot: a prefix and 16 hexadecimal digits, the position in the log.
pub fn is_name(name: &str) -> bool {
    let digits = name.strip_prefix(NAME);
    digits.is_some_and(|digits| digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Returns the snapshots in a folder, the last one first.
pub fn snapshots(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_name) {
            found.push(entry.path());
        }
    }
    found.sort();
    found.reverse();
    Ok(found)
}

impl Snapshot {
    /// Decodes a snapshot; `None` if it is damaged.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (rest, sum) = bytes.split_last_chunk::<4>()?;
        // The length of what it would be uncompressed.
        let (mut rest, _) = rest.split_last_chunk::<8>()?;
        let mut hasher = Hasher::new();
        hasher.update(rest);
        if hasher.finalize() != u32::from_le_bytes(*sum) {
            return None;
        }
        let rest = &mut rest;
        // Options are one more than what they hold, or 0.
        let lsn = fixed(rest)? - 1;
        number(rest)?;
        let mut pages = HashMap::new();
        for page in 0.. {
            let Some((&count, after)) = rest.split_first() else { break };
            *rest = after;
            if count == 0 {
                fixed(rest)?;
                pointer(rest)?;
                continue;
            }
            let mut fragments = Vec::new();
            for _ in 0..count {
                fragments.push((fixed(rest)?, pointer(rest)?));
                number(rest)?;
            }
            pages.insert(page, fragments);
        }
        Some(Self { lsn, pages })
    }
}

/// Decodes the offset of a message in the file, and advances `bytes`.
fn pointer(bytes: &mut &[u8]) -> Option<u64> {
    let (&kind, rest) = bytes.split_first()?;
    *bytes = rest;
    let at = number(bytes)?;
    match kind {
        0 => Some(at),
        1 => fixed(bytes).map(|_| at),
        _ => None,
    }
}
