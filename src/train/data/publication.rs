//! The published files of an image set: their names, addresses, sizes and digests.

use std::path::{Path, PathBuf};

/// The published files of a set: `tandem data fetch` downloads them, and `tandem data import` imports them.
#[derive(Debug)]
pub struct Publication {
    /// The set's name.
    pub name: &'static str,
    /// The set and the size of its download, for the help of `tandem data fetch`.
    pub about: &'static str,
    /// The set and the form of its files, for the help of `tandem data import`.
    pub form: &'static str,
    /// The name of the set's folder in the data folder.
    pub folder: &'static str,
    /// The files of the set.
    pub files: &'static [&'static str],
    /// The files that may be missing.
    pub optional: &'static [&'static str],
    /// True if `NAME.gz` counts as the file `NAME`.
    pub gzip: bool,
    /// The URL of the folder with the downloads, without a slash at its end.
    pub server: &'static str,
    /// The downloads, smallest first: one archive, or the files themselves.
    pub downloads: &'static [Download],
}

/// A file to download, with its size and digest for verification.
#[derive(Debug)]
pub struct Download {
    /// The name on the server.
    pub file: &'static str,
    /// The size in bytes.
    pub size: u64,
    /// The MD5 digest, in lowercase hexadecimal.
    pub md5: &'static str,
}

impl Publication {
    /// Returns true if a file name belongs to the set.
    pub(super) fn takes(&self, name: &str) -> bool {
        let plain = name.strip_suffix(".gz").filter(|_| self.gzip).unwrap_or(name);
        self.files.contains(&plain)
    }

    /// The first required file that is missing from a folder.
    pub(super) fn lacking(&self, folder: &Path) -> Option<&'static str> {
        let is_there = |name: &str| match self.gzip {
            true => plain_or_gzip(folder, name).is_some(),
            false => folder.join(name).is_file(),
        };
        let needed = self.files.iter().copied().filter(|name| !self.optional.contains(name));
        needed.into_iter().find(|name| !is_there(name))
    }
}

/// The path of a file in a folder, plain or as `NAME.gz`; `None` if neither exists.
pub(super) fn plain_or_gzip(folder: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")]
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| path.is_file())
}
