//! A search for records in the files of a database that may be damaged anywhere, whether or not a page leads
//! to them.
//!
//! It also finds older versions of records, and records that were removed. A record in a page whose checksum
//! does not match may itself be damaged.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::format::{Header, MESSAGE_ROOM, MessageKind, SEGMENT, SEGMENT_HEADER, blob, slice};
use super::log::{SharedFile, whole_messages};
use super::page::{Data, Link, Node, prefix_of, take_records};

/// The possible lengths of a damaged message's header, in bytes.
const HEADS: std::ops::RangeInclusive<usize> = 8..=MESSAGE_ROOM;

/// A receiver of the records that are found. `lsn` is a position in the log: the version of a record with the
/// higher one is newer.
pub trait Finder {
    /// Receives a record of an intact page.
    fn record(&mut self, lsn: i64, key: &[u8], value: &[u8]);
    /// Receives a record of an intact page whose key lacks its beginning.
    fn ending(&mut self, lsn: i64, end: &[u8], value: &[u8]);
    /// Receives a possible record of a damaged page.
    fn doubtful(&mut self, lsn: i64, key: &[u8], value: &[u8]);
    /// Receives bytes that are no intact message.
    fn damaged(&mut self, bytes: &[u8]);
}

/// Facts about pages that are needed to read their records.
#[derive(Default)]
struct Known {
    /// The prefix of each page's keys, by the position of that version of the page in the log.
    prefixes: HashMap<u64, BTreeMap<i64, Vec<u8>>>,
    /// The page of each file with a long value, and its position in the log.
    blobs: HashMap<i64, (u64, i64)>,
}

impl Known {
    /// Notes the facts in a message about its page.
    fn note(&mut self, header: &Header, lsn: i64, body: &[u8]) {
        if header.kind.is_blob() {
            if let Ok(number) = <[u8; 8]>::try_from(body) {
                self.blobs.insert(i64::from_le_bytes(number), (header.page, lsn));
            }
        } else if header.kind == MessageKind::Node {
            self.note_node(header.page, lsn, body);
        }
    }

    fn note_node(&mut self, page: u64, lsn: i64, body: &[u8]) {
        if let Some(prefix) = prefix_of(body) {
            self.prefixes.entry(page).or_default().insert(lsn, prefix.to_vec());
        }
    }

    /// Returns the prefix that the keys of a change lack.
    fn prefix(&self, page: u64, lsn: i64) -> Option<&[u8]> {
        let versions = self.prefixes.get(&page)?;
        versions.range(..lsn).next_back().map(|(_, prefix)| prefix.as_slice())
    }

    /// Passes the records of an intact page, or of an intact change of one, to a finder.
    fn tell(&self, kind: MessageKind, place: (u64, i64), body: &[u8], finder: &mut dyn Finder) {
        let (page, lsn) = place;
        match kind {
            MessageKind::Node | MessageKind::NodeBlob => {
                if let Some(Node { data: Data::Leaf(records), .. }) = Node::read(body) {
                    records.iter().for_each(|(key, value)| finder.record(lsn, key, value));
                }
            }
            MessageKind::Link | MessageKind::LinkBlob => {
                if let Some(Link::Set(end, value)) = Link::read(body) {
                    match self.prefix(page, lsn) {
                        Some(prefix) => finder.record(lsn, &[prefix, end].concat(), value),
                        None => finder.ending(lsn, end, value),
                    }
                }
            }
            _ => {}
        }
    }
}

/// Passes all records in a log and in folders of long values to a finder.
///
/// # Errors
/// A file cannot be read.
pub fn find_records(log: &Path, blobs: &[PathBuf], finder: &mut dyn Finder) -> io::Result<()> {
    let log = if log.is_file() { Some(SharedFile::open(log)?) } else { None };
    let files = blob_files(blobs)?;
    let mut known = Known::default();
    if let Some(log) = &log {
        each_slot(log, &mut |slot| {
            for (at, header) in whole_messages(slot, SEGMENT_HEADER, &|_| true) {
                known.note(&header, position(&header, at), header.body(&slot[at..]));
            }
        })?;
    }
    for (number, path) in &files {
        if let Some(&(page, lsn)) = known.blobs.get(number)
            && let Some((MessageKind::Node, body)) = blob(&fs::read(path)?)
        {
            known.note_node(page, lsn, body);
        }
    }
    if let Some(log) = &log {
        each_slot(log, &mut |slot| find_in_slot(slot, &known, finder))?;
    }
    for (number, path) in &files {
        let bytes = fs::read(path)?;
        let (page, lsn) = known.blobs.get(number).copied().unwrap_or((u64::MAX, *number));
        if let Some((kind, body)) = blob(&bytes) {
            known.tell(kind, (page, lsn), body, finder);
        } else {
            find_in_damaged(&bytes, lsn, finder);
        }
    }
    Ok(())
}

/// Returns the files of long values with their numbers, in order.
fn blob_files(folders: &[PathBuf]) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files = Vec::new();
    for folder in folders {
        if !folder.is_dir() {
            continue;
        }
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let number = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if let Some(number) = number
                && entry.path().is_file()
            {
                files.push((number, entry.path()));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a log in blocks of a segment's size.
fn each_slot(log: &SharedFile, each: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; SEGMENT];
    for at in (0..log.length()?).step_by(SEGMENT) {
        let read = log.read(at, &mut buffer)?;
        // Behind the end of the file is nothing, as where nothing was written.
        buffer[read..].fill(0);
        each(&buffer);
    }
    Ok(())
}

/// Returns the position of a message in the log, by the segment number in its own header: the segment's
/// header may be damaged.
fn position(header: &Header, at: usize) -> i64 {
    let lsn = header.segment.saturating_mul(SEGMENT as u64).saturating_add(at as u64);
    i64::try_from(lsn).unwrap_or(i64::MAX)
}

fn find_in_slot(slot: &[u8], known: &Known, finder: &mut dyn Finder) {
    let (mut place, mut last) = (SEGMENT_HEADER, 0);
    for (at, header) in whole_messages(slot, SEGMENT_HEADER, &|_| true) {
        find_in_damaged(&slot[place..at], last + 1, finder);
        last = position(&header, at);
        known.tell(header.kind, (header.page, last), header.body(&slot[at..]), finder);
        place = at + header.total();
    }
    find_in_damaged(&slot[place..], last + 1, finder);
}

/// Passes the possible records in bytes that are no intact message to a finder.
fn find_in_damaged(bytes: &[u8], lsn: i64, finder: &mut dyn Finder) {
    if bytes.iter().all(|&byte| byte == 0) {
        return;
    }
    finder.damaged(bytes);
    for head in HEADS {
        let Some(body) = bytes.get(head..) else { break };
        for (key, value) in take_records(body) {
            finder.doubtful(lsn, &key, value);
        }
        if let Some((0, mut rest)) = body.split_first()
            && let Some(end) = slice(&mut rest)
            && let Some(value) = slice(&mut rest)
        {
            finder.doubtful(lsn, end, value);
        }
    }
}
