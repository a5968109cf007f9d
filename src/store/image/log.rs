//! The log: finds the messages that count, and the pages that they form.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::format::{
    Header, MESSAGE_ROOM, MessageKind, SEGMENT, SEGMENT_HEADER, SegmentHeader, blob,
};

/// The files of a database.
#[derive(Clone, Debug)]
pub struct Files {
    /// The file of the log.
    pub log: PathBuf,
    /// The folders of long values; the first folder that contains a value counts.
    pub blobs: Vec<PathBuf>,
    /// The folder of snapshots; `None` if no snapshots of this log can exist.
    pub snapshots: Option<PathBuf>,
}

/// Damage of a database's file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The name of the file.
    pub file: String,
    /// The offset at which the damage begins to show, if it is known.
    pub at: Option<u64>,
    /// A description of the damage.
    pub what: String,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, at, what } = self;
        match at {
            Some(at) => write!(f, "`{file}`, byte {at}: {what}"),
            None => write!(f, "`{file}`: {what}"),
        }
    }
}

/// Errors of reading the files of a database.
#[derive(Debug)]
pub enum ImageError {
    /// A file cannot be read.
    Io(io::Error),
    /// A file is damaged.
    Flaw(Flaw),
}

impl From<io::Error> for ImageError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Flaw> for ImageError {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

/// A message that is part of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// The position of the message in the log.
    pub lsn: i64,
    /// The offset of the message in the file.
    pub at: u64,
    /// The offset of its body in the file.
    pub body: u64,
    /// The length of its body, in bytes.
    pub length: usize,
    /// The kind of the message.
    pub kind: MessageKind,
    /// The number of the file that contains the page, if that is long.
    pub blob: Option<i64>,
}

/// The state of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// The page was released.
    Free,
    /// A complete page and the later changes of it, in order.
    Present(Fragment, Vec<Fragment>),
}

/// The content of the log.
#[derive(Debug, Default)]
pub struct Log {
    /// The pages by their numbers.
    pub pages: HashMap<u64, Page>,
    /// The position after the last message that counts.
    pub end: i64,
    /// The offsets of the segments in the file, by their positions in the log.
    segments: BTreeMap<i64, u64>,
    /// The first flaw that a kill does not explain, and its position in the log.
    pub bad: Option<(i64, Flaw)>,
    /// The place where the log ends although more of it follows.
    pub hole: Option<Hole>,
}

/// The end of a log that is followed by more intact messages: power was lost while it was written, or it is
/// damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole {
    /// A description of the place.
    pub flaw: Flaw,
    /// The offsets of the segments that contain the hole and everything after it.
    pub segments: Vec<u64>,
}

/// A file that several threads can read at any offset.
#[derive(Debug)]
pub struct SharedFile {
    file: File,
    name: String,
}

impl SharedFile {
    /// Opens a file for reading.
    pub fn open(path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file: File::open(path)?, name })
    }

    /// Returns the length of the file, in bytes.
    pub fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Reads bytes from an offset on until the buffer is full or the file ends; returns their number.
    pub fn read(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut done = 0;
        while done < buffer.len() {
            match self.read_some(at + done as u64, &mut buffer[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(done)
    }

    #[cfg(unix)]
    fn read_some(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.file, buffer, at)
    }

    #[cfg(windows)]
    fn read_some(&self, at: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.file, buffer, at)
    }

    /// Returns a flaw at an offset of the file.
    pub fn flaw(&self, at: u64, what: impl Into<String>) -> Flaw {
        Flaw { file: self.name.clone(), at: Some(at), what: what.into() }
    }
}

/// Returns the path of the file with a long value.
pub fn blob_path(files: &Files, number: i64) -> Option<PathBuf> {
    let name = number.to_string();
    files.blobs.iter().map(|folder| folder.join(&name)).find(|path| path.is_file())
}

/// Reads a page from a file of its own; `None` if the file is missing or its checksum does not match.
pub fn read_blob(files: &Files, number: i64) -> io::Result<Option<(MessageKind, Vec<u8>)>> {
    let Some(path) = blob_path(files, number) else { return Ok(None) };
    let bytes = fs::read(path)?;
    Ok(blob(&bytes).map(|(kind, page)| (kind, page.to_vec())))
}

/// The segments of a file.
struct Segments {
    /// The offsets of the segments in the file, by their positions in the log.
    placed: BTreeMap<i64, u64>,
    /// A position in the log up to which everything was written.
    stable: i64,
    /// The first flaw, as in [`Log`].
    bad: Option<(i64, Flaw)>,
}

impl Log {
    /// Reads a log up to the position `cut`.
    ///
    /// A snapshot shows that everything up to the position `known` was written; segments before it may have
    /// been released when nothing in them was needed any more.
    ///
    /// # Errors
    /// The file cannot be read, or two of its segments have the same position in the log.
    pub fn read(source: &SharedFile, known: i64, cut: i64) -> Result<Self, ImageError> {
        let segments = find_segments(source, cut)?;
        let mut log = Self { bad: segments.bad.clone(), ..Self::default() };
        if segments.placed.is_empty() {
            // Nothing was ever written, or nothing is left of it.
            return Ok(log);
        }
        // All before this position had been written; the segments from there on are the end of the log as far as
        // they follow each other.
        let lowest = segments.stable.max(known).max(0) / SEGMENT as i64 * SEGMENT as i64;
        let mut buffer = vec![0; SEGMENT];
        let mut end = lowest;
        for (&lsn, &at) in segments.placed.range(lowest..) {
            if lsn != end {
                break;
            }
            let all = &mut |_: &Found, _: &[u8]| ControlFlow::Continue(());
            let (stop, reached) = read_segment(source, &mut buffer, lsn, at, all)?;
            end = reached;
            if let Stop::Bad(place) = stop {
                let number = lsn as u64 / SEGMENT as u64;
                let same = |header: &Header| header.segment == number;
                let mut later: Vec<u64> =
                    segments.placed.range(lsn + 1..).map(|(_, &at)| at).collect();
                let is_followed = whole_messages(&buffer, place, &same).next().is_some();
                if end < cut && (is_followed || !later.is_empty()) {
                    later.insert(0, at);
                    let flaw =
                        source.flaw(at + place as u64, "the log ends, though more of it follows");
                    log.hole = Some(Hole { flaw, segments: later });
                }
            }
            if stop != Stop::Full {
                break;
            }
        }
        if end == lowest && lowest < cut {
            let what = format!("the segment at position {lowest} of the log is missing");
            log.note_bad(lowest, Flaw { file: source.name.clone(), at: None, what });
        }
        let end = end.min(cut);
        for (&lsn, &at) in segments.placed.range(..end) {
            let (stop, reached) =
                read_segment(source, &mut buffer, lsn, at, &mut |found, body| {
                    // What a batch wrote counts only if all of it is there.
                    let is_torn = found.kind == MessageKind::Batch
                        && <[u8; 8]>::try_from(body)
                            .is_ok_and(|last| i64::from_le_bytes(last) >= end);
                    if found.lsn >= end || is_torn {
                        return ControlFlow::Break(());
                    }
                    log.note(found, body);
                    ControlFlow::Continue(())
                })?;
            log.end = reached.min(end);
            match stop {
                Stop::Full => {}
                Stop::Enough => break,
                Stop::Bad(place) if lsn < lowest && !is_reused(&buffer, lsn, place) => {
                    let flaw = source.flaw(at + place as u64, "a checksum does not hold");
                    log.note_bad(lsn + place as i64, flaw);
                }
                Stop::Bad(_) => {}
            }
        }
        log.segments = segments.placed;
        Ok(log)
    }

    /// Returns the hole that a flaw at a position makes if nothing from there on is read.
    pub fn whole_hole(&self, flaw: &Flaw, lsn: i64) -> Hole {
        let first = lsn / SEGMENT as i64 * SEGMENT as i64;
        let segments = self.segments.range(first..).map(|(_, &at)| at).collect();
        Hole { flaw: flaw.clone(), segments }
    }

    fn note_bad(&mut self, lsn: i64, flaw: Flaw) {
        if self.bad.as_ref().is_none_or(|&(first, _)| lsn < first) {
            self.bad = Some((lsn, flaw));
        }
    }

    fn note(&mut self, found: &Found, body: &[u8]) {
        let blob = || <[u8; 8]>::try_from(body).ok().map(i64::from_le_bytes);
        let fragment = Fragment {
            lsn: found.lsn,
            at: found.at,
            body: found.body,
            length: found.length,
            kind: found.kind,
            blob: if found.kind.is_blob() { blob() } else { None },
        };
        match found.kind {
            MessageKind::Canceled | MessageKind::Cap | MessageKind::Batch => {}
            MessageKind::Free => {
                self.pages.insert(found.page, Page::Free);
            }
            MessageKind::Counter
            | MessageKind::Meta
            | MessageKind::MetaBlob
            | MessageKind::Node
            | MessageKind::NodeBlob => {
                self.pages.insert(found.page, Page::Present(fragment, Vec::new()));
            }
            // A change of a page that is not there is of one that was moved further along the log.
            MessageKind::Link | MessageKind::LinkBlob => {
                if let Some(Page::Present(_, links)) = self.pages.get_mut(&found.page) {
                    links.push(fragment);
                }
            }
        }
    }
}

/// A message of a segment.
struct Found {
    lsn: i64,
    at: u64,
    body: u64,
    length: usize,
    kind: MessageKind,
    page: u64,
}

/// The reasons that a segment has no more messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// It is full, or closed by a cap.
    Full,
    /// No intact message of this segment begins at this offset in the segment.
    Bad(usize),
    /// The caller stopped the reading.
    Enough,
}

/// Reads the messages of a segment in order; returns the reason of the end and the position after the last
/// message, or after the segment if that is full.
fn read_segment(
    source: &SharedFile,
    buffer: &mut Vec<u8>,
    lsn: i64,
    at: u64,
    each: &mut dyn FnMut(&Found, &[u8]) -> ControlFlow<()>,
) -> io::Result<(Stop, i64)> {
    buffer.resize(SEGMENT, 0);
    let read = source.read(at, buffer)?;
    // Behind the end of the file is nothing, as where nothing was written.
    buffer[read..].fill(0);
    let number = lsn as u64 / SEGMENT as u64;
    let mut place = SEGMENT_HEADER;
    while place + MESSAGE_ROOM <= SEGMENT {
        let rest = &buffer[place..];
        let header = Header::whole(rest).filter(|header| header.segment == number);
        let Some(header) = header else { return Ok((Stop::Bad(place), lsn + place as i64)) };
        if header.kind == MessageKind::Cap {
            break;
        }
        let found = Found {
            lsn: lsn + place as i64,
            at: at + place as u64,
            body: at + (place + header.size) as u64,
            length: header.length,
            kind: header.kind,
            page: header.page,
        };
        if each(&found, header.body(rest)).is_break() {
            return Ok((Stop::Enough, found.lsn));
        }
        place += header.total();
    }
    Ok((Stop::Full, lsn + SEGMENT as i64))
}

/// Finds the segments of a file that begin before the position `cut`, by their headers.
///
/// A segment that has lost its header is noted as a flaw.
fn find_segments(source: &SharedFile, cut: i64) -> Result<Segments, ImageError> {
    let length = source.length()?;
    let mut found = Segments { placed: BTreeMap::new(), stable: -1, bad: None };
    let mut headless = Vec::new();
    let mut header = [0; SEGMENT_HEADER];
    for at in (0..length).step_by(SEGMENT) {
        let read = source.read(at, &mut header)?;
        let Some(header) = SegmentHeader::read(&header[..read]) else {
            headless.push(at);
            continue;
        };
        if header.lsn >= cut {
            continue;
        }
        found.stable = found.stable.max(header.stable.min(cut - 1));
        if let Some(other) = found.placed.insert(header.lsn, at) {
            let what = format!("the segment has the same place in the log as the one at {other}");
            return Err(source.flaw(at, what).into());
        }
    }
    let last = found.placed.last_key_value().map_or(-1, |(&lsn, _)| lsn);
    let mut buffer = vec![0; SEGMENT];
    for at in headless {
        let read = source.read(at, &mut buffer)?;
        buffer[read..].fill(0);
        // A segment is written from its header on, and one that is given up for good is zeroed. In any other that
        // has messages of the log, the header was there.
        let first = Header::whole(&buffer[SEGMENT_HEADER..]);
        let is_first = first.is_some();
        let Some(header) = first.or_else(|| any_message(&buffer)) else { continue };
        let lsn = header.segment.saturating_mul(SEGMENT as u64);
        let lsn = i64::try_from(lsn).unwrap_or(i64::MAX);
        if lsn < cut
            && (is_first || lsn <= last)
            && found.bad.as_ref().is_none_or(|&(first, _)| lsn < first)
        {
            found.bad = Some((lsn, source.flaw(at, "the header of a segment does not hold")));
        }
    }
    Ok(found)
}

/// Returns the first intact message in a segment whose header is damaged.
fn any_message(segment: &[u8]) -> Option<Header> {
    whole_messages(segment, SEGMENT_HEADER, &|_| true).next().map(|(_, header)| header)
}

/// Iterates over the intact messages of a segment that `wanted` accepts, from a byte on and at any offset.
///
/// Each item is the offset of a message and its header.
pub fn whole_messages<'a>(
    segment: &'a [u8],
    from: usize,
    wanted: &'a dyn Fn(&Header) -> bool,
) -> impl Iterator<Item = (usize, Header)> + 'a {
    let mut place = from;
    std::iter::from_fn(move || {
        while place + MESSAGE_ROOM <= segment.len() {
            let rest = &segment[place..];
            // Where nothing was written is nothing to look for.
            if rest[4] == 0 {
                place += rest[4..].iter().position(|&byte| byte != 0)?.min(rest.len() - 4);
                continue;
            }
            let header = Header::read(rest).filter(|header| wanted(header));
            if let Some(header) = header.filter(|header| header.is_whole(rest)) {
                let found = place;
                place += header.total();
                return Some((found, header));
            }
            place += 1;
        }
        None
    })
}

/// Returns true if the rest of a segment was overwritten by a later part of the log whose beginning was never
/// written. A kill leaves a reused segment in this state.
fn is_reused(segment: &[u8], lsn: i64, place: usize) -> bool {
    let number = lsn as u64 / SEGMENT as u64;
    let later = |header: &Header| header.segment > number && header.segment < number + (1 << 32);
    whole_messages(segment, place, &later).next().is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodes the header of a segment as sled does.
    fn header(lsn: i64, stable: i64) -> Vec<u8> {
        let rest = [(lsn ^ i64::MAX).to_le_bytes(), (stable ^ i64::MAX).to_le_bytes()].concat();
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&rest);
        [(!hasher.finalize()).to_le_bytes().as_slice(), &rest].concat()
    }

    /// sled releases the first segment while the header of the second one still refers to it. The snapshot
    /// that it wrote before has what it had read then.
    #[test]
    fn a_log_without_its_beginning_needs_a_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("db");
        let mut bytes = vec![0; 2 * SEGMENT];
        let second = header(SEGMENT as i64, SEGMENT as i64 - 7000);
        bytes[SEGMENT..][..second.len()].copy_from_slice(&second);
        fs::write(&path, bytes).unwrap();
        let source = SharedFile::open(&path).unwrap();
        let end = (SEGMENT + SEGMENT_HEADER) as i64;
        let log = Log::read(&source, end, i64::MAX).unwrap();
        assert_eq!((log.bad, log.end), (None, end));
        let log = Log::read(&source, -1, i64::MAX).unwrap();
        assert_eq!(log.bad.map(|(lsn, _)| lsn), Some(0));
    }
}
