//! Opening an image, with a mark that shows whether the log has lost its end.

use std::io;
use std::sync::Arc;

use super::log::{Files, Flaw, ImageError, Page, blob_path, read_blob};
use super::pages::{Image, last_snapshot};
use super::tree::ImageTree;

/// A number that both the database and a file beside it contain, by which a lost end of the log is detected.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// The name of the tree with the number.
    pub tree: &'a [u8],
    /// The key of the number.
    pub key: &'a [u8],
    /// The number in the file; `None` if there is no such file.
    pub expected: Option<u64>,
}

impl Image {
    /// Reads the files of a database.
    ///
    /// The file of the log has to exist. If a kill or a loss of power damaged the log after the last mark
    /// that reached the disk, the image contains the log up to the damage.
    ///
    /// # Errors
    /// The files cannot be read, or are damaged before that mark.
    pub fn open(files: Files, mark: Mark<'_>) -> Result<Self, ImageError> {
        let image = Self::read(files, i64::MAX)?;
        let Some((lsn, flaw)) = image.first_flaw(mark)? else {
            image.refuse_lost_end(mark)?;
            return Ok(image);
        };
        if mark.expected.is_none() {
            return Err(flaw.into());
        }
        // What is before the flaw is all that was brought to the disk, or the flaw is none that a loss of power
        // explains.
        tracing::debug!(lsn, %flaw, "reading the log up to a flaw");
        let hole = image.log.whole_hole(&flaw, lsn);
        let mut before = Self::read(image.files, lsn)?;
        if before.first_flaw(mark)?.is_some() || before.refuse_lost_end(mark).is_err() {
            return Err(flaw.into());
        }
        before.needs_rewriting = true;
        before.hole = Some(hole);
        Ok(before)
    }

    /// Returns a tree by its name.
    pub fn tree(self: &Arc<Self>, name: &[u8]) -> Option<ImageTree> {
        self.roots.get(name).map(|&root| ImageTree::new(self.clone(), root))
    }

    /// Returns the number of a mark, and the position in the log of the message with it; `None` if there is
    /// none.
    fn mark(&self, mark: Mark<'_>) -> Result<Option<(u64, i64)>, ImageError> {
        let Some(&root) = self.roots.get(mark.tree) else { return Ok(None) };
        let Some((page, leaf)) = ImageTree::find(self, root, mark.key)? else { return Ok(None) };
        let value = leaf.records.iter().find(|(key, _)| key == mark.key);
        let number = value.and_then(|(_, value)| <[u8; 8]>::try_from(value.as_ref()).ok());
        let Some(Page::Present(base, links)) = self.log.pages.get(&page) else { return Ok(None) };
        let lsn = links.last().unwrap_or(base).lsn;
        Ok(number.map(|number| (u64::from_be_bytes(number), lsn)))
    }

    fn refuse_lost_end(&self, mark: Mark<'_>) -> Result<(), ImageError> {
        let Some(expected) = mark.expected else { return Ok(()) };
        let found = self.mark(mark)?.map_or(0, |(number, _)| number);
        if found < expected {
            let what = "it has lost what was written last".to_owned();
            return Err(Flaw { file: self.log_name(), at: None, what }.into());
        }
        Ok(())
    }

    /// Returns the first flaw, by its position in the log, that shows without reading every page.
    fn first_flaw(&self, mark: Mark<'_>) -> Result<Option<(i64, Flaw)>, ImageError> {
        let mut first = self.log.bad.clone();
        let mut note = |lsn: i64, flaw: Flaw| {
            if first.as_ref().is_none_or(|&(first, _)| lsn < first) {
                first = Some((lsn, flaw));
            }
        };
        // A position after which things may not have reached the disk.
        let synced = self.mark(mark)?.map_or(-1, |(_, lsn)| lsn);
        for (_, base, links) in self.present() {
            for fragment in std::iter::once(base).chain(links) {
                let Some(number) = fragment.blob else { continue };
                let is_there = blob_path(&self.files, number).is_some();
                let is_whole =
                    || -> io::Result<bool> { Ok(read_blob(&self.files, number)?.is_some()) };
                if !is_there || (fragment.lsn > synced && !is_whole()?) {
                    note(fragment.lsn, self.flaw(fragment, "it is missing or damaged"));
                }
            }
        }
        if let Some(snapshot) = last_snapshot(&self.files)? {
            for (lsn, flaw) in self.against(&snapshot) {
                note(lsn, flaw);
            }
        }
        Ok(first)
    }
}
