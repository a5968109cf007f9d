//! An image: the pages of a database, read from its files.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

use crate::store::bytes::Bytes;

use super::format::{MessageKind, SEGMENT};
use super::log::{Files, Flaw, Fragment, Hole, ImageError, Log, Page, SharedFile, read_blob};
use super::page::{Data, Link, Node, prefix_of, read_meta};
use super::snapshot::{Snapshot, snapshots};

/// The page with the names of the trees.
const META_PAGE: u64 = 0;
/// The most bytes of cached leaves.
const KEPT_BYTES: usize = 32 << 20;

/// The pages of a database, read from its files.
#[derive(Debug)]
pub struct Image {
    pub(super) files: Files,
    source: SharedFile,
    pub(super) log: Log,
    pub(super) roots: BTreeMap<Vec<u8>, u64>,
    leaves: Mutex<Kept>,
    pub(super) needs_rewriting: bool,
    pub(super) hole: Option<Hole>,
}

/// A leaf: the records of one range of a tree's keys.
#[derive(Debug)]
pub struct LeafPage {
    /// The lowest key of the leaf's range.
    pub low: Vec<u8>,
    /// The lowest key to the right of the leaf's range; empty if this is the last leaf.
    pub high: Vec<u8>,
    /// The page of the leaf to the right, if there is one.
    pub next: Option<u64>,
    /// The records, in the order of their keys.
    pub records: Vec<(Bytes, Bytes)>,
}

/// A cache of leaves, the oldest first.
#[derive(Debug, Default)]
struct Kept {
    leaves: Vec<(u64, Arc<LeafPage>, usize)>,
    bytes: usize,
}

/// Reads the last snapshot of a database; `None` if there is none or it is damaged.
pub(super) fn last_snapshot(files: &Files) -> io::Result<Option<Snapshot>> {
    let Some(folder) = &files.snapshots else { return Ok(None) };
    let Some(path) = snapshots(folder)?.into_iter().next() else { return Ok(None) };
    Ok(Snapshot::read(&fs::read(path)?))
}

impl Image {
    /// Reads the log up to the position `cut`.
    pub(super) fn read(files: Files, cut: i64) -> Result<Self, ImageError> {
        let source = SharedFile::open(&files.log)?;
        let known = last_snapshot(&files)?.map_or(-1, |snapshot| snapshot.lsn.min(cut - 1));
        let log = Log::read(&source, known, cut)?;
        let mut image = Self {
            files,
            source,
            log,
            roots: BTreeMap::new(),
            leaves: Mutex::default(),
            needs_rewriting: false,
            hole: None,
        };
        image.hole = image.log.hole.take();
        if let Some(Page::Present(base, _)) = image.log.pages.get(&META_PAGE) {
            let base = *base;
            let bytes = image.bytes(&base)?;
            image.roots =
                read_meta(&bytes).ok_or_else(|| image.flaw(&base, "no names of trees"))?;
        }
        Ok(image)
    }

    /// Returns the names of the trees, in order.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        self.roots.keys().map(Vec::as_slice)
    }

    /// Returns the place where the log ends although more of it follows, if there is one.
    pub fn hole(&self) -> Option<&Hole> {
        self.hole.as_ref()
    }

    /// Reads the segments of the log that contain a hole and everything after it.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn behind(&self, hole: &Hole) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; SEGMENT * hole.segments.len()];
        for (part, &at) in bytes.chunks_exact_mut(SEGMENT).zip(&hole.segments) {
            self.source.read(at, part)?;
        }
        Ok(bytes)
    }

    /// Returns true if the log was read only up to a flaw that sled would skip: the database has to be
    /// rewritten before sled may open it.
    pub const fn needs_rewriting(&self) -> bool {
        self.needs_rewriting
    }

    /// Returns the pages of the trees' roots.
    pub(super) fn roots(&self) -> impl Iterator<Item = u64> {
        self.roots.values().copied()
    }

    /// Returns all pages that are not released, in the order of their numbers.
    pub(super) fn present(&self) -> Vec<(u64, &Fragment, &[Fragment])> {
        let mut pages: Vec<_> = self
            .log
            .pages
            .iter()
            .filter_map(|(&number, page)| match page {
                Page::Free => None,
                Page::Present(base, links) => Some((number, base, links.as_slice())),
            })
            .collect();
        pages.sort_unstable_by_key(|&(number, ..)| number);
        pages
    }

    /// Returns a flaw of a message.
    pub(super) fn flaw(&self, fragment: &Fragment, what: &str) -> Flaw {
        match fragment.blob {
            Some(number) => {
                Flaw { file: format!("blobs/{number}"), at: None, what: what.to_owned() }
            }
            None => self.source.flaw(fragment.at, what),
        }
    }

    /// Reads the page, or the change of a page, in a message.
    pub(super) fn bytes(&self, fragment: &Fragment) -> Result<Vec<u8>, ImageError> {
        if let Some(number) = fragment.blob {
            let wrong = |what| ImageError::from(self.flaw(fragment, what));
            let found = read_blob(&self.files, number)?
                .ok_or_else(|| wrong("it is missing or its checksum does not hold"))?;
            return match found {
                (kind, bytes) if kind == fragment.kind => Ok(bytes),
                _ => Err(wrong("it is of another kind than the log says")),
            };
        }
        let mut bytes = vec![0; fragment.length];
        if self.source.read(fragment.body, &mut bytes)? < bytes.len() {
            return Err(self.flaw(fragment, "the file ends too early").into());
        }
        Ok(bytes)
    }

    /// Reads a node of a tree and applies all changes to it.
    pub(super) fn node(&self, page: u64) -> Result<Node, ImageError> {
        let Some(Page::Present(base, links)) = self.log.pages.get(&page) else {
            let what = format!("page {page}, which the log names, is missing");
            return Err(Flaw { file: self.log_name(), at: None, what }.into());
        };
        let wrong = |fragment: &Fragment, what| ImageError::from(self.flaw(fragment, what));
        if !matches!(base.kind, MessageKind::Node | MessageKind::NodeBlob) {
            return Err(wrong(base, "it is no node of a tree"));
        }
        let bytes = self.bytes(base)?;
        let mut node = Node::read(&bytes).ok_or_else(|| wrong(base, "it is no node of a tree"))?;
        let prefix = prefix_of(&bytes).unwrap_or_default();
        for fragment in links {
            let bytes = self.bytes(fragment)?;
            let link = Link::read(&bytes).and_then(|link| node.apply(prefix, &link));
            link.ok_or_else(|| wrong(fragment, "it is no change of the page before it"))?;
        }
        Ok(node)
    }

    pub(super) fn log_name(&self) -> String {
        self.files.log.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads a leaf of a tree, or takes it from the cache; `None` if the page is an index.
    pub(super) fn leaf(&self, page: u64) -> Result<Option<Arc<LeafPage>>, ImageError> {
        let kept = || self.leaves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, leaf, _)) = kept().leaves.iter().find(|(known, ..)| *known == page) {
            return Ok(Some(leaf.clone()));
        }
        let node = self.node(page)?;
        let Data::Leaf(records) = node.data else { return Ok(None) };
        let bytes = records.iter().map(|(key, value)| key.len() + value.len() + 64).sum();
        let records = records.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        let leaf = Arc::new(LeafPage { low: node.low, high: node.high, next: node.next, records });
        let mut kept = kept();
        while kept.bytes + bytes > KEPT_BYTES && !kept.leaves.is_empty() {
            let (.., oldest) = kept.leaves.remove(0);
            kept.bytes -= oldest;
        }
        if bytes <= KEPT_BYTES {
            kept.bytes += bytes;
            kept.leaves.push((page, leaf.clone(), bytes));
        }
        Ok(Some(leaf))
    }

    /// Returns flaws for the messages that a snapshot lists and the log has lost since, with their positions.
    pub(super) fn against(&self, snapshot: &Snapshot) -> Vec<(i64, Flaw)> {
        let mut lost = Vec::new();
        for (page, known) in &snapshot.pages {
            let found: Vec<(i64, u64)> = match self.log.pages.get(page) {
                Some(Page::Free) => continue,
                Some(Page::Present(base, _)) if base.lsn >= snapshot.lsn => continue,
                Some(Page::Present(base, links)) => {
                    std::iter::once(base).chain(links).map(|found| (found.lsn, found.at)).collect()
                }
                None => Vec::new(),
            };
            // A page may have been moved since, or have changes since.
            if found.first().is_some_and(|first| first.0 > known[0].0) {
                continue;
            }
            let differs = known.iter().zip(0..).find(|&(known, at)| found.get(at) != Some(known));
            if let Some((&(lsn, at), _)) = differs {
                lost.push((lsn, self.source.flaw(at, "a message that was there is missing")));
            }
        }
        lost
    }
}
