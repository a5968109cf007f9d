//! Import of an archive into a new store.

use std::error::Error;
use std::io::{self, BufReader, Read};
use std::path::Path;

use tar::{Entry, EntryType};
use zstd::Decoder;

use super::super::disk::acquire::lock;
use super::super::disk::free_space::check_room;
use super::super::disk::fsync::make_folder;
use super::super::disk::lock::Lock;
use super::super::disk::replace;
use super::super::disk::trees::{Filling, is_local};
use super::super::error::StoreError;
use super::super::format::keys;
use super::super::place::{PathKind, look};
use super::super::store::Store;
use super::format::{self, ArchiveEnd, Manifest, Totals, TreeTotals};
use crate::store::layout::{FORMAT, FORMAT_KEY, FREE_BYTES, META, TRAININGS};
use crate::store::marker;
use crate::util::atomic_file::create_like_folder;

impl Store {
    /// Creates a store from an archive, in a folder that is new, empty or contains an empty store.
    ///
    /// The store appears once the whole archive has been read and verified. A kill before that leaves a
    /// folder that cannot be opened as a store; another import into it starts again. `name` is the name of
    /// the archive for messages.
    ///
    /// # Errors
    /// The folder contains anything else, the archive is damaged, of a newer version or cannot be read, or
    /// the disk is full or fails. No store is created then.
    pub fn import(path: &Path, archive: impl Read, name: &Path) -> Result<Totals, StoreError> {
        let failed = |source| StoreError::Io { path: path.to_owned(), source };
        claim(path)?.fill(path, |synced| {
            let staged = replace::stage(path).map_err(failed)?;
            Import::read(path, &staged, archive, name, synced)
        })
    }

    /// Describes something that the store contains; `None` if it is empty.
    fn content(&self) -> Result<Option<String>, StoreError> {
        for (name, tree) in self.db.trees().map_err(|error| self.failed(error))? {
            if name == META {
                continue;
            }
            if let Some(record) = tree.iter().next() {
                let (key, _) = record.map_err(|error| self.failed(error))?;
                let kind = match name.as_ref() {
                    b"runs" => "run",
                    b"studies" => "study",
                    _ => "records, as",
                };
                let name = match keys::run(&key) {
                    Some(run) => format!("records of run `{run}`"),
                    None => format!("{kind} `{}`", key.escape_ascii()),
                };
                return Ok(Some(name));
            }
        }
        let file = self.training_files()?.into_iter().next();
        Ok(file.map(|(name, _)| format!("the checkpoint of training {}", name.display())))
    }
}

/// A locked folder, reserved for an import or a salvage.
pub(in crate::store) struct ReservedFolder {
    lock: Lock,
    /// The number of the last sync of the empty store in the folder, if there is one.
    synced: Option<u64>,
    /// The previous contents of the path.
    found: PathKind,
}

impl ReservedFolder {
    /// Calls `stage` to write a database, and moves it into its place.
    ///
    /// `stage` receives the number of the last sync of the empty store. If anything fails, the staged
    /// database and a folder that was created for it are removed.
    pub fn fill<T>(
        mut self,
        path: &Path,
        stage: impl FnOnce(Option<u64>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let filled = stage(self.synced).and_then(|staged| {
            let failed = |source| StoreError::Io { path: path.to_owned(), source };
            replace::replace(path).map_err(failed)?;
            Ok(staged)
        });
        filled.inspect_err(|_| {
            let _ = replace::discard(path);
            self.lock.remove_if_new();
            self.found.unmake(path);
        })
    }
}

/// Locks a folder that contains no store or an empty one; creates a missing folder.
pub(in crate::store) fn claim(path: &Path) -> Result<ReservedFolder, StoreError> {
    let failed = |source| StoreError::Io { path: path.to_owned(), source };
    let found = look(path)?;
    if matches!(found, PathKind::Missing | PathKind::Empty) {
        make_folder(path).map_err(failed)?;
        marker::mark(path).map_err(failed)?;
    }
    let mut lock = lock(path)?;
    let claimed = |lock: &Lock| match look(path)? {
        PathKind::Store(layout) => {
            if let Some(store) = Store::read_locked(path, &layout, lock.clone())?
                && let Some(what) = store.content()?
            {
                return Err(StoreError::NotEmpty { path: path.to_owned(), what });
            }
            Ok(layout.synced)
        }
        PathKind::Missing | PathKind::Empty | PathKind::Unmade | PathKind::Unfinished => Ok(None),
    };
    match claimed(&lock) {
        Ok(synced) => Ok(ReservedFolder { lock, synced, found }),
        Err(error) => {
            lock.remove_if_new();
            Err(error)
        }
    }
}

/// An import in progress.
struct Import<'a> {
    store: &'a Path,
    folder: &'a Path,
    name: &'a Path,
    filling: Filling,
    totals: Totals,
    checksums: String,
    /// The last part of a tree that was read: the tree, the number of the part and its last key.
    tree: Option<(Vec<u8>, u64, Option<Vec<u8>>)>,
    /// The name of the last file that was read.
    file: Option<Vec<u8>>,
}

impl<'a> Import<'a> {
    fn read(
        store: &'a Path,
        folder: &'a Path,
        archive: impl Read,
        name: &'a Path,
        synced: Option<u64>,
    ) -> Result<Totals, StoreError> {
        let broken = |error: io::Error| broken(name, &error);
        let zstd = Decoder::with_buffer(BufReader::new(archive)).map_err(broken)?;
        let mut tar = tar::Archive::new(zstd);
        let mut import = Import {
            store,
            folder,
            name,
            filling: Filling::new(store, folder)?,
            totals: Totals::default(),
            checksums: String::new(),
            tree: None,
            file: None,
        };
        let mut entries = tar.entries().map_err(broken)?;
        let manifest = import.manifest(entries.next().transpose().map_err(broken)?)?;
        loop {
            let Some(entry) = entries.next().transpose().map_err(broken)? else {
                return Err(import.wrong("it ends too early"));
            };
            if import.entry(entry)? {
                break;
            }
        }
        if let Some(more) = entries.next().transpose().map_err(broken)? {
            let what = format!("{} comes after its end", more.path_bytes().escape_ascii());
            return Err(import.wrong(what));
        }
        // To the end, where zstd has a checksum.
        io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(broken)?;
        import.finish(manifest.format, synced)
    }

    fn manifest<R: Read>(&mut self, entry: Option<Entry<'_, R>>) -> Result<Manifest, StoreError> {
        let Some(entry) = entry.filter(|entry| *entry.path_bytes() == *format::MANIFEST.as_bytes())
        else {
            return Err(self.wrong("it does not begin as one"));
        };
        let bytes = self.bytes(format::MANIFEST, entry)?;
        // What a newer version says besides is none of this one's.
        let manifest: Manifest = self.json(format::MANIFEST, &bytes)?;
        if manifest.kind != format::KIND {
            return Err(self.wrong(format!("it is a {}", manifest.kind)));
        }
        for (what, found, known) in [
            ("an archive", manifest.version, format::VERSION),
            ("an archive of a store", manifest.format, FORMAT),
        ] {
            if found > known {
                let path = self.name.to_owned();
                return Err(StoreError::NewerArchive { path, what, found, known });
            }
        }
        Ok(manifest)
    }

    /// Reads an entry; returns true if it is the last one.
    fn entry<R: Read>(&mut self, entry: Entry<'_, R>) -> Result<bool, StoreError> {
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if entry.header().entry_type() != EntryType::Regular {
            return Err(self.wrong(format!("{name} is no file")));
        }
        if name == format::END {
            let blake3 = blake3::hash(self.checksums.as_bytes()).to_hex().to_string();
            let bytes = self.bytes(&name, entry)?;
            let end: ArchiveEnd = self.json(&name, &bytes)?;
            if (end != ArchiveEnd { totals: self.totals.clone(), blake3 }) {
                return Err(self.wrong("it has not what its end says"));
            }
            return Ok(true);
        }
        if name == format::CHECKSUMS {
            let expected = std::mem::take(&mut self.checksums);
            let bytes = self.bytes(&name, entry)?;
            let differs = expected.lines().zip(bytes.split(|&byte| byte == b'\n'));
            let differs = differs.filter(|(expected, found)| expected.as_bytes() != *found);
            if let Some((line, _)) = differs.into_iter().next() {
                let name = line.split_once("  ").map_or(line, |(_, name)| name);
                return Err(self.wrong(format!("{name} has another checksum")));
            }
            if bytes != expected.as_bytes() {
                return Err(self.wrong("its checksums are those of other entries"));
            }
            self.checksums = expected;
            return Ok(false);
        }
        if let Some(part) = name.strip_prefix(format::TREES)
            && let Some((tree, number)) = part.split_once('/')
            && let Some(tree) = format::decode_name(tree)
            && let Ok(number) = number.parse()
            && name == format::part_name(&tree, number)
        {
            self.part(&name, &tree, number, entry)?;
        } else if let Some(file) = name.strip_prefix(format::FILES)
            && let Some(file) = format::decode_name(file)
        {
            self.training_file(&name, file, entry)?;
        } else {
            return Err(self.wrong(format!("it has an entry {name}")));
        }
        Ok(false)
    }

    /// Reads a part of a tree into the database.
    fn part<R: Read>(
        &mut self,
        name: &str,
        tree: &[u8],
        number: u64,
        entry: Entry<'_, R>,
    ) -> Result<(), StoreError> {
        let in_turn = match &self.tree {
            _ if self.file.is_some() => false,
            Some((last, part, _)) if last == tree => number == part + 1,
            Some((last, ..)) => last.as_slice() < tree && number == 0,
            None => number == 0,
        };
        if !in_turn {
            return Err(self.wrong(format!("{name} is out of turn")));
        }
        let mut last = self.tree.take().filter(|_| number > 0).and_then(|(.., last)| last);
        let bytes = self.bytes(name, entry)?;
        let into = self.filling.tree(tree)?;
        let (mut rest, mut found) = (bytes.as_slice(), TreeTotals::default());
        while !rest.is_empty() {
            let Some((key, value)) = format::take_record(&mut rest) else {
                return Err(self.wrong(format!("a record in {name} is cut off")));
            };
            if last.as_deref().is_some_and(|last| last >= key) || is_local(tree, key) {
                return Err(self.wrong(format!("a record in {name} is out of place")));
            }
            self.filling.insert(&into, key, value)?;
            last = Some(key.to_vec());
            found.records += 1;
            found.bytes += (key.len() + value.len()) as u64;
        }
        let totals = self.totals.trees.entry(format::encode_name(tree)).or_default();
        totals.records += found.records;
        totals.bytes += found.bytes;
        self.tree = Some((tree.to_vec(), number, last));
        Ok(())
    }

    /// Reads a file beside the database into the folder.
    fn training_file<R: Read>(
        &mut self,
        name: &str,
        file: Vec<u8>,
        mut entry: Entry<'_, R>,
    ) -> Result<(), StoreError> {
        if self.file.as_ref().is_some_and(|last| *last >= file) {
            return Err(self.wrong(format!("{name} is out of turn")));
        }
        // Nothing may be written outside of the folder.
        let plain = String::from_utf8(file.clone()).ok().filter(|plain| {
            ![".", ".."].contains(&plain.as_str()) && !plain.contains(['/', '\\', '\0'])
        });
        let Some(plain) = plain else {
            return Err(self.wrong(format!("{name} is no name of a file")));
        };
        let failed = |source| StoreError::Io { path: self.store.to_owned(), source };
        check_room(self.store, FREE_BYTES.saturating_add(entry.size()))?;
        let folder = self.folder.join(TRAININGS);
        make_folder(&folder).map_err(failed)?;
        // In a folder that gets its place as a whole.
        let mut out = create_like_folder(&folder.join(plain)).map_err(failed)?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = entry.read(&mut buffer).map_err(|error| broken(self.name, &error))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
            io::Write::write_all(&mut out, &buffer[..read]).map_err(failed)?;
        }
        self.checksums += &format!("{}  {name}\n", hasher.finalize().to_hex());
        self.totals.files += 1;
        self.file = Some(file);
        Ok(())
    }

    fn finish(self, format: u32, synced: Option<u64>) -> Result<Totals, StoreError> {
        let meta = self.filling.tree(META)?;
        let found = meta.get(FORMAT_KEY).map_err(|error| StoreError::of(self.store, error))?;
        if found.as_deref() != Some(&format.to_be_bytes()[..]) {
            return Err(self.wrong("its records are of another format than it says"));
        }
        self.filling.close(synced.unwrap_or(0) + 1)?;
        Ok(self.totals)
    }

    /// Reads an entry completely.
    fn bytes<R: Read>(
        &mut self,
        name: &str,
        mut entry: Entry<'_, R>,
    ) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let (size, read) = (entry.size(), entry.read_to_end(&mut bytes));
        read.map_err(|error| broken(self.name, &error))?;
        if bytes.len() as u64 != size {
            return Err(self.wrong("it ends too early"));
        }
        self.checksums += &format!("{}  {name}\n", blake3::hash(&bytes).to_hex());
        Ok(bytes)
    }

    fn json<T: serde::de::DeserializeOwned>(
        &self,
        name: &str,
        bytes: &[u8],
    ) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| self.wrong(format!("{name}: {error}")))
    }

    fn wrong(&self, what: impl Into<String>) -> StoreError {
        StoreError::Archive { path: self.name.to_owned(), what: what.into() }
    }
}

/// Converts an error of reading the archive: damage is [`StoreError::Archive`], an error of the system
/// [`StoreError::File`].
fn broken(name: &Path, error: &io::Error) -> StoreError {
    let path = name.to_owned();
    let mut innermost = error;
    // tar tells what it was about, and has the cause within.
    while let Some(cause) = innermost.get_ref().and_then(Error::source)
        && let Some(cause) = cause.downcast_ref()
    {
        innermost = cause;
    }
    match innermost.raw_os_error() {
        Some(number) => StoreError::File { path, source: io::Error::from_raw_os_error(number) },
        None if innermost.kind() == io::ErrorKind::UnexpectedEof => {
            StoreError::Archive { path, what: "it ends too early".to_owned() }
        }
        None => StoreError::Archive { path, what: innermost.to_string() },
    }
}
