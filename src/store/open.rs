//! Opening a store: its lock, its format, its health.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sled::Db;

use super::disk::database::Database;
use super::disk::fsync::{Durable, make_folder, sync_folder};
use super::disk::lock::Lock;
use super::disk::lock_owner::{Holder, Holding};
use super::disk::trees::{META, copy_trees};
use super::disk::watchdog::{Watch, without_panic};
use super::disk::{leftovers, migration, replace};
use super::engine::{Engine, EngineError, Tree};
use super::error::{StoreError, damaged};
use super::image::ImageError;
use super::journal::Tail;
use super::layout::{
    BLOBS, DATABASE, FORMAT, FORMAT_KEY, FREE_BYTES, SYNCED, SYNCED_KEY, TRAININGS,
};
use super::marker;
use super::place::{self, Layout, Place, look};
use super::preflight::{Prepared, format_number, prepare, read_image};
use crate::util::atomic_file::{
    create_folder_like_folder, create_like_folder, restrict_like_folder,
};
use crate::util::single_flight::Flights;

/// Memory that sled may use for pages.
const CACHE_BYTES: u64 = 64 << 20;

/// The lock of a process that was killed can last for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// A process that only reads has a store open for a moment, and does not answer at a socket.
const READER_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// What is wanted of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// To write into; it is made if it is missing.
    ReadWrite,
    /// To write into; a missing one is an error.
    ReadWriteMustExist,
    /// To read, without changing a byte; a missing one is an error.
    ReadOnlyMustExist,
}

/// A store that this process has open.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    /// The folder of checkpoints of trainings.
    pub(super) trainings: PathBuf,
    /// Dropped before the database: the file goes while the lock is held. None while the store is only read.
    pub(super) holding: Option<Holding>,
    pub(super) runs: Tree,
    pub(super) studies: Tree,
    pub(super) journal: Tree,
    pub(super) checkpoints: Tree,
    pub(super) scripts: Tree,
    pub(super) accuracies: Tree,
    pub(super) estimates: Tree,
    pub(super) meta: Tree,
    /// The end of each journal that was written to.
    pub(super) tails: Mutex<HashMap<String, Tail>>,
    /// The runs that this process works on.
    pub(super) own_runs: Mutex<HashSet<String>>,
    flights: Flights,
    synced: Mutex<Synced>,
    watch: Watch,
    /// Dropped after all of its trees.
    pub(super) db: Engine,
    /// Dropped when all else is closed.
    pub(super) lock: Lock,
}

/// What was brought to the disk.
#[derive(Debug)]
struct Synced {
    /// The number of the last `sync`.
    number: u64,
    files: Durable,
}

impl Store {
    /// Opens the store in a folder.
    ///
    /// # Errors
    /// It is missing, not a store, held by another process, of a newer format or damaged, or the
    /// folder cannot be used. Nothing is changed then.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self, StoreError> {
        match mode {
            OpenMode::ReadOnlyMustExist => Self::open_to_read(path),
            OpenMode::ReadWriteMustExist => Self::open_to_write(path, false),
            OpenMode::ReadWrite => Self::open_to_write(path, true),
        }
    }

    fn open_to_read(path: &Path) -> Result<Self, StoreError> {
        let layout = existing(path)?;
        let lock = lock_to_read(path, &layout.files.log)?;
        // As it is while nobody can write.
        let layout = existing(path)?;
        Self::read_locked(path, &layout, lock)?.ok_or_else(|| no_store(path))
    }

    /// Reads a store that nobody writes; `None` if a process was killed before it had made the store.
    pub(super) fn read_locked(
        path: &Path,
        layout: &Layout,
        lock: Lock,
    ) -> Result<Option<Self>, StoreError> {
        let Some((image, format)) = read_image(path, layout)? else { return Ok(None) };
        if let Some(hole) = image.hole() {
            tracing::warn!(
                "{}: {}; what follows was not on the disk for certain and is left out. After a kill or \
                 a loss of power `tandem resume` makes it again; after neither the file is damaged, \
                 and `tandem store salvage` reads more of it",
                path.display(),
                hole.flaw
            );
        }
        let trainings = layout.trainings.iter().find(|folder| folder.is_dir());
        let trainings = trainings.unwrap_or(&layout.trainings[0]).clone();
        let mut store = Self::with(path, trainings, Engine::Image(image), lock)?;
        if format < FORMAT {
            store.journal = migration::trials_in_memory(&store)?;
        }
        Ok(Some(store))
    }

    fn open_to_write(path: &Path, make: bool) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        let found = look(path)?;
        if make {
            if matches!(found, Place::Missing | Place::Empty) {
                make_folder(path).map_err(io)?;
                marker::mark(path).map_err(io)?;
            }
        } else if !matches!(found, Place::Store(_) | Place::Unfinished) {
            return Err(no_store(path));
        }
        let mut lock = lock(path)?;
        Self::open_locked(path, make, &lock).inspect_err(|_| {
            lock.remove_if_new();
            found.unmake(path);
        })
    }

    fn open_locked(path: &Path, make: bool, lock: &Lock) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        check_room(path, FREE_BYTES)?;
        // sled may have the files only when it is known that it finds nothing to discard.
        let rewrite = match look(path)? {
            Place::Store(layout) => prepare(path, &layout)?,
            Place::Unfinished => return Err(StoreError::Unfinished { path: path.to_owned() }),
            Place::Unmade if make => Prepared::New,
            Place::Missing | Place::Empty | Place::Unmade => return Err(no_store(path)),
        };
        let holding = Holding::new(path);
        if let Prepared::New = rewrite {
            leftovers::clear_unmade(path).map_err(io)?;
            // sled would make it for everybody to read.
            create_like_folder(&path.join(DATABASE)).map_err(io)?;
        } else {
            marker::mark(path).map_err(io)?;
            replace::recover(path).map_err(io)?;
            // What is left of a compaction that was cut off, or of an import into an empty store.
            replace::discard(path).map_err(io)?;
        }
        if let Prepared::Rewrite(image) = &rewrite {
            let staged = replace::stage(path).map_err(io)?;
            let synced = place::synced(path).unwrap_or(0) + 1;
            copy_trees(&Engine::Image(image.clone()), path, &staged, synced)?;
            replace::replace(path).map_err(io)?;
        }
        let watch = Watch::start(path);
        let db = Engine::Database(Database::new(open_database(path)?));
        let mut store = Self::with(path, path.join(TRAININGS), db, lock.clone())?;
        (store.holding, store.watch) = (Some(holding), watch);
        let failed = |error| StoreError::of(path, error);
        let format = match store.meta.get(FORMAT_KEY).map_err(failed)? {
            Some(bytes) => format_number(path, &bytes)?,
            None => {
                store.meta.insert(FORMAT_KEY, &FORMAT.to_be_bytes()).map_err(failed)?;
                FORMAT
            }
        };
        let synced = store.meta.get(SYNCED_KEY).map_err(failed)?;
        let synced = synced.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_ref()).ok());
        let synced = synced.map_or(0, u64::from_be_bytes);
        if place::synced(path).is_some_and(|expected| synced < expected) {
            return Err(damaged(path, "its database has lost what was written last"));
        }
        store.synced = Mutex::new(Synced { number: synced, files: Durable::default() });
        if let Prepared::New = rewrite {
            store.sync()?;
        }
        store.migrate(format)?;
        Ok(store)
    }

    /// A store with nothing of its own beside a database.
    fn with(path: &Path, trainings: PathBuf, db: Engine, lock: Lock) -> Result<Self, StoreError> {
        let tree = |name: &[u8]| db.tree(name).map_err(|error| StoreError::of(path, error));
        Ok(Self {
            path: path.to_owned(),
            trainings,
            holding: None,
            runs: tree(b"runs")?,
            studies: tree(b"studies")?,
            journal: tree(b"journal")?,
            checkpoints: tree(b"checkpoints")?,
            scripts: tree(b"scripts")?,
            accuracies: tree(b"accuracies")?,
            estimates: tree(b"estimates")?,
            meta: tree(META)?,
            tails: Mutex::default(),
            own_runs: Mutex::default(),
            flights: Flights::default(),
            synced: Mutex::new(Synced { number: 0, files: Durable::default() }),
            watch: Watch::default(),
            db,
            lock,
        })
    }

    /// Brings the layout of an older program to the present one. Whatever moment it is interrupted
    /// at, the next one that opens the store goes on.
    fn migrate(&self, format: u32) -> Result<(), StoreError> {
        if format < FORMAT {
            tracing::info!(format, "bringing the store to format {FORMAT}");
            migration::copy_trials(self)?;
            // Only what is on the disk may be what is counted on.
            self.sync()?;
            self.meta
                .insert(FORMAT_KEY, &FORMAT.to_be_bytes())
                .map_err(|error| self.failed(error))?;
            self.sync()?;
        }
        let old = migration::OLD_TRIALS.as_bytes();
        let trees = self.db.trees().map_err(|error| self.failed(error))?;
        if trees.iter().any(|(name, _)| name == old) {
            self.db.drop_tree(old).map_err(|error| self.failed(error))?;
            self.flush()?;
        }
        Ok(())
    }

    /// Whether a process may be writing into the store in a folder: the folder's lock decides, not what a
    /// file says that was copied along with a store.
    pub fn is_in_use(path: &Path) -> bool {
        !matches!(Lock::share(path, &path.join(DATABASE)), Ok(Some(lock)) if lock.is_certain())
    }

    /// What this process is computing to be kept in the store.
    pub const fn flights(&self) -> &Flights {
        &self.flights
    }

    /// The folder of the store.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings everything written so far to the disk, so that not even a loss of power undoes it.
    ///
    /// # Errors
    /// The disk is full or fails.
    pub fn sync(&self) -> Result<(), StoreError> {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        let next = synced.number + 1;
        self.meta.insert(SYNCED_KEY, &next.to_be_bytes()).map_err(|error| self.failed(error))?;
        self.flush()?;
        self.watch.over(|| self.bring_to_disk(next, &mut synced.files)).map_err(|source| {
            // What the disk refused once it does not have, even if it says so when it is asked again.
            self.db.give_up(&source);
            StoreError::Io { path: self.path.clone(), source }
        })?;
        synced.number = next;
        Ok(())
    }

    /// The number of the last sync.
    pub(super) fn last_sync(&self) -> u64 {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).number
    }

    fn bring_to_disk(&self, number: u64, files: &mut Durable) -> io::Result<()> {
        files.bring(&self.path)?;
        // Only when the database has the number may the file beside it ask for it.
        write_synced(&self.path, number)
    }

    /// Hands everything written so far to the operating system, so that the death of this process
    /// does not undo it.
    ///
    /// # Errors
    /// The disk is nearly full or fails.
    pub(super) fn flush(&self) -> Result<(), StoreError> {
        self.db.check(&self.path)?;
        check_room(&self.path, FREE_BYTES)?;
        let flushed = self.watch.over(|| self.db.flush());
        flushed.map_err(|error| self.failed(error))
    }

    pub(super) fn failed(&self, error: EngineError) -> StoreError {
        if let EngineError::Database(sled::Error::Io(error)) = &error {
            self.db.give_up(error);
        }
        StoreError::of(&self.path, error)
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> StoreError {
        damaged(&self.path, what)
    }
}

/// Writes the number of the last sync beside a database that has it.
pub(super) fn write_synced(folder: &Path, number: u64) -> io::Result<()> {
    let temporary = folder.join("synced.new");
    let mut new = create_like_folder(&temporary)?;
    writeln!(new, "{number}")?;
    new.sync_all()?;
    fs::rename(&temporary, folder.join(SYNCED))?;
    sync_folder(folder)
}

impl Drop for Store {
    fn drop(&mut self) {
        // With nothing behind it, no damage of the end of the log can pass for the work of a kill.
        if self.holding.is_some() && !thread::panicking() && self.db.check(&self.path).is_ok() {
            match self.sync() {
                // What failed for want of room has said so.
                Ok(()) | Err(StoreError::Full { .. }) => {}
                Err(error) => tracing::warn!("closing the store failed: {error}"),
            }
        }
    }
}

impl StoreError {
    pub(super) fn of(path: &Path, error: impl Into<EngineError>) -> Self {
        let io = |source| Self::Io { path: path.to_owned(), source };
        match error.into() {
            EngineError::Database(sled::Error::Io(error)) if is_loss(&error) => {
                damaged(path, format!("a file of it is missing or cut short ({error})"))
            }
            EngineError::Database(sled::Error::Io(source))
            | EngineError::Image(ImageError::Io(source)) => io(source),
            EngineError::Database(sled::Error::Corruption { .. }) => {
                damaged(path, "a checksum in it does not hold")
            }
            EngineError::Database(other) => damaged(path, other.to_string()),
            EngineError::Image(ImageError::Flaw(flaw)) => damaged(path, flaw.to_string()),
            EngineError::ReadOnly => io(ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

/// The files of a store that must be there.
fn existing(path: &Path) -> Result<Layout, StoreError> {
    match look(path)? {
        Place::Store(layout) => Ok(layout),
        Place::Unfinished => Err(StoreError::Unfinished { path: path.to_owned() }),
        Place::Missing | Place::Empty | Place::Unmade => Err(no_store(path)),
    }
}

fn no_store(path: &Path) -> StoreError {
    match fs::read_link(path) {
        Ok(target) => StoreError::LeadsAstray { path: path.to_owned(), target },
        Err(_) => StoreError::NoStore { path: path.to_owned() },
    }
}

pub(super) fn check_room(path: &Path, needed: u64) -> Result<(), StoreError> {
    let free = fs4::available_space(path)
        .map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    if free < needed {
        return Err(StoreError::Full { path: path.to_owned(), free, needed });
    }
    Ok(())
}

/// Takes the lock of a store's folder.
pub(super) fn lock(path: &Path) -> Result<Lock, StoreError> {
    let database = path.join(DATABASE);
    wait_for_lock(path, &|| {
        // An older program, or another one that uses sled, locks the database alone.
        let lock = Lock::take(path, Duration::ZERO, LOCK_PAUSE)?;
        Ok(lock.filter(|_| !Lock::is_taken(&database).unwrap_or(false)))
    })
}

/// Keeps others from writing into a store.
pub(super) fn lock_to_read(path: &Path, database: &Path) -> Result<Lock, StoreError> {
    wait_for_lock(path, &|| Lock::share(path, database))
}

fn wait_for_lock(
    path: &Path,
    take: &dyn Fn() -> io::Result<Option<Lock>>,
) -> Result<Lock, StoreError> {
    let started = Instant::now();
    loop {
        let taken = take();
        if let Some(lock) =
            taken.map_err(|source| StoreError::Io { path: path.to_owned(), source })?
        {
            return Ok(lock);
        }
        let answers = Holder::of(path).is_some_and(|holder| holder.socket.is_some());
        if started.elapsed() > if answers { LOCK_PATIENCE } else { READER_PATIENCE } {
            return Err(held(path));
        }
        thread::sleep(LOCK_PAUSE);
    }
}

fn held(path: &Path) -> StoreError {
    let holder = Holder::of(path).map_or_else(
        || "another process".to_owned(),
        |holder| format!("{}, last heard of {} s ago", holder.describe(), holder.silent_s()),
    );
    StoreError::Held { path: path.to_owned(), holder }
}

/// Opens a database, which is made if it is missing.
pub(super) fn open_database(path: &Path) -> Result<Db, StoreError> {
    let config = sled::Config::new()
        .path(path)
        .cache_capacity(CACHE_BYTES)
        .mode(sled::Mode::HighThroughput)
        // Every append is flushed by itself.
        .flush_every_ms(None);
    let started = Instant::now();
    let failed = |source| StoreError::Io { path: path.to_owned(), source };
    let blobs = path.join(BLOBS);
    if !blobs.exists() {
        create_folder_like_folder(&blobs).map_err(failed)?;
    }
    loop {
        leftovers::clear(path).map_err(failed)?;
        let opened = without_panic(|| config.open())
            .map_err(|reason| damaged(path, format!("it cannot be opened ({reason})")))?;
        match opened {
            Ok(db) => {
                restrict(path).map_err(failed)?;
                return Ok(db);
            }
            Err(sled::Error::Io(error)) if is_lock(&error) => {
                if started.elapsed() > LOCK_PATIENCE {
                    return Err(held(path));
                }
                thread::sleep(LOCK_PAUSE);
            }
            Err(error) => return Err(StoreError::of(path, error)),
        }
    }
}

/// Takes from sled's files what the folder does not allow.
fn restrict(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let is_ours = [BLOBS, TRAININGS].map(OsStr::new).contains(&&*entry.file_name());
        if entry.file_type()?.is_file() || is_ours {
            restrict_like_folder(&entry.path())?;
        }
    }
    Ok(())
}

/// sled reports a lock that it cannot have as an error of its own making, with the text of the
/// system's inside.
fn is_lock(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock || error.to_string().contains("could not acquire lock")
}

/// Whether a file ended, or was not there, where sled had reason to read on.
fn is_loss(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        check_room(dir.path(), 1).unwrap();
        let error = check_room(dir.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, StoreError::Full { needed: u64::MAX, .. }), "{error}");
        let error = StoreError::Full { path: "x".into(), free: 3 << 20, needed: FREE_BYTES };
        assert_eq!(
            error.to_string(),
            "the disk of the store at x has 3 MiB left, and the store keeps 8 free so that it is \
             never cut off within a write; make room and resume"
        );
    }
}
