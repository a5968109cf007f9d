//! The published files of an image set: their names, addresses, sizes and digests.

use std::path::{Path, PathBuf};

/// The published files of a set: those that `tandem data fetch` downloads and `tandem data import` takes.
#[derive(Debug)]
pub struct Publication {
    /// The set's name.
    pub name: &'static str,
    /// The set and the size of its download, for the help of `tandem data fetch`.
    pub about: &'static str,
    /// The set and the form of its files, for the help of `tandem data import`.
    pub form: &'static str,
    /// The folder that the set gets in the data folder.
    pub folder: &'static str,
    /// The files that make up the set.
    pub files: &'static [&'static str],
    /// Those of the files that the set can do without.
    pub optional: &'static [&'static str],
    /// True if `NAME.gz` counts as the file `NAME`.
    pub gzip: bool,
    /// The address of the folder with the downloads, without a slash at its end.
    pub server: &'static str,
    /// The downloads, the smallest first: one archive, or the files themselves.
    pub downloads: &'static [Download],
}

/// A file to download, and what tells that it is the right one.
#[derive(Debug)]
pub struct Download {
    /// Its name on the server.
    pub file: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// Its MD5 digest, hexadecimal in small letters.
    pub md5: &'static str,
}

impl Publication {
    /// Tells whether a file of a name is one of the set.
    pub(super) fn takes(&self, name: &str) -> bool {
        let plain = name.strip_suffix(".gz").filter(|_| self.gzip).unwrap_or(name);
        self.files.contains(&plain)
    }

    /// A file that the set needs and that is not in a folder.
    pub(super) fn lacking(&self, folder: &Path) -> Option<&'static str> {
        let is_there = |name: &str| match self.gzip {
            true => plain_or_gzip(folder, name).is_some(),
            false => folder.join(name).is_file(),
        };
        let needed = self.files.iter().copied().filter(|name| !self.optional.contains(name));
        needed.into_iter().find(|name| !is_there(name))
    }
}

/// The path of a file in a folder, plain or as `NAME.gz`, if it is there.
pub(super) fn plain_or_gzip(folder: &Path, name: &str) -> Option<PathBuf> {
    [name.to_owned(), format!("{name}.gz")]
        .map(|name| folder.join(name))
        .into_iter()
        .find(|path| path.is_file())
}
