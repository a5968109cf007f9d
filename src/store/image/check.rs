//! A check of every page of an image.

use std::collections::HashSet;

use super::log::ImageError;
use super::pages::Image;
use super::tree::{bad_tree, leftmost, lowest_index, right_of};

impl Image {
    /// Reads every page to which the trees lead. sled may open the files only if all of these are intact.
    ///
    /// # Errors
    /// The files cannot be read, or a page is damaged.
    pub fn check(&self) -> Result<(), ImageError> {
        for root in self.roots() {
            // This reads every index.
            let index = lowest_index(self, root)?;
            let (page, mut leaf) = leftmost(self, &index)?;
            let mut pages = HashSet::from([page]);
            while let Some((page, right)) = right_of(self, &leaf)? {
                pages.insert(page);
                leaf = right;
            }
            if let Some(&(_, page)) = index.iter().find(|(_, page)| !pages.contains(page)) {
                return Err(bad_tree(page));
            }
        }
        Ok(())
    }
}
