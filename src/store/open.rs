//! Opening a store: its lock, its format, its health.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use sled::{Db, Tree};

use super::database::Database;
use super::durable::{Durable, make_folder, sync_folder};
use super::error::StoreError;
use super::holder::{Holder, Holding};
use super::journal::Tail;
use super::last_resort::{Watch, without_panic};
use super::lock::Lock;
use super::{migration, remains, swap};
use crate::flight::Flights;

/// The version of the layout that this program writes.
pub(super) const FORMAT: u32 = 2;
pub(super) const FORMAT_KEY: &str = "format";

/// Memory that sled may use for pages.
const CACHE_BYTES: u64 = 64 << 20;

/// What must be free on the disk before a write. sled waits for ever for a write that the disk had no
/// room for, so the end is not to be reached.
pub(super) const FREE_BYTES: u64 = 8 << 20;

/// The lock of a process that was killed can last for a moment.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);
/// A process that only reads has a store open for a moment, and does not answer at a socket.
const READER_PATIENCE: Duration = Duration::from_secs(5);
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// The database file within the folder.
pub(super) const DATABASE: &str = "db";
/// The file with the number of the last `sync` that reached the disk; the database has it too.
pub(super) const SYNCED: &str = "synced";
pub(super) const SYNCED_KEY: &str = "synced";

/// What is wanted of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// To write into; it is made if it is missing.
    ReadWrite,
    /// To read; a missing one is an error.
    ReadOnlyMustExist,
}

/// A store that this process has open.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    /// Dropped before the database: the file goes while the lock is held.
    pub(super) holding: Holding,
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
    pub(super) db: Database,
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
    /// folder cannot be used.
    pub fn open(path: &Path, mode: OpenMode) -> Result<Self, StoreError> {
        let is_there = || path.join(DATABASE).is_file();
        if !is_there() && !swap::is_ready(path) && !swap::is_unfinished(path) {
            if mode == OpenMode::ReadOnlyMustExist {
                return Err(StoreError::NoStore { path: path.to_owned() });
            }
            if path.join(SYNCED).is_file() {
                return Err(damaged(path, "its database, the file `db`, is missing"));
            }
            let io = |source| StoreError::Io { path: path.to_owned(), source };
            if !remains::is_all_there_is(path).map_err(io)? {
                return Err(StoreError::NotAStore { path: path.to_owned() });
            }
        }
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        make_folder(path).map_err(io)?;
        let lock = lock(path)?;
        let holding = Holding::new(path);
        swap::recover(path).map_err(io)?;
        let exists = is_there();
        if exists {
            // What is left of a compaction that was cut off, or of an import into an empty store.
            swap::discard(path).map_err(io)?;
        } else if swap::is_unfinished(path) {
            return Err(StoreError::Unfinished { path: path.to_owned() });
        }
        if mode == OpenMode::ReadWrite {
            check_room(path, FREE_BYTES)?;
        }
        let watch = Watch::start(path);
        let db = Database::new(open_database(path)?);
        let failed = |error| StoreError::of(path, error);
        let meta = db.open_tree("meta").map_err(failed)?;
        let format = match meta.get(FORMAT_KEY).map_err(failed)? {
            Some(bytes) => <[u8; 4]>::try_from(bytes.as_ref())
                .map(u32::from_be_bytes)
                .map_err(|_| damaged(path, "its format version cannot be read"))?,
            None => {
                meta.insert(FORMAT_KEY, &FORMAT.to_be_bytes()).map_err(failed)?;
                FORMAT
            }
        };
        if format > FORMAT {
            let path = path.to_owned();
            return Err(StoreError::Newer { path, found: format, known: FORMAT });
        }
        let synced = meta.get(SYNCED_KEY).map_err(failed)?;
        let synced = synced.and_then(|bytes| <[u8; 8]>::try_from(bytes.as_ref()).ok());
        let synced = synced.map_or(0, u64::from_be_bytes);
        let expected = fs::read_to_string(path.join(SYNCED)).unwrap_or_default();
        if expected.trim().parse().is_ok_and(|expected: u64| synced < expected) {
            // sled takes a file that was cut short for one that was never longer.
            return Err(damaged(path, "its database has lost what was written last"));
        }
        let tree = |name| db.open_tree(name).map_err(failed);
        let store = Self {
            path: path.to_owned(),
            holding,
            runs: tree("runs")?,
            studies: tree("studies")?,
            journal: tree("journal")?,
            checkpoints: tree("checkpoints")?,
            scripts: tree("scripts")?,
            accuracies: tree("accuracies")?,
            estimates: tree("estimates")?,
            tails: Mutex::default(),
            own_runs: Mutex::default(),
            flights: Flights::default(),
            synced: Mutex::new(Synced { number: synced, files: Durable::default() }),
            watch,
            meta,
            lock,
            db,
        };
        if !exists {
            store.sync()?;
        }
        store.migrate(format)?;
        Ok(store)
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
        if self.db.tree_names().iter().any(|name| name.as_ref() == migration::OLD_TRIALS.as_bytes())
        {
            self.db.drop_tree(migration::OLD_TRIALS).map_err(|error| self.failed(error))?;
            self.flush()?;
        }
        Ok(())
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

    fn bring_to_disk(&self, number: u64, files: &mut Durable) -> io::Result<()> {
        files.bring(&self.path)?;
        // Only when the database has the number may the file beside it ask for it.
        let (file, temporary) = (self.path.join(SYNCED), self.path.join("synced.new"));
        let mut new = File::create(&temporary)?;
        writeln!(new, "{number}")?;
        new.sync_all()?;
        fs::rename(&temporary, &file)?;
        sync_folder(&self.path)
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
        flushed.map(|_| ()).map_err(|error| self.failed(error))
    }

    pub(super) fn failed(&self, error: sled::Error) -> StoreError {
        if let sled::Error::Io(error) = &error {
            self.db.give_up(error);
        }
        StoreError::of(&self.path, error)
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> StoreError {
        damaged(&self.path, what)
    }
}

impl StoreError {
    pub(super) fn of(path: &Path, error: sled::Error) -> Self {
        match error {
            sled::Error::Io(error) if is_loss(&error) => {
                damaged(path, format!("a file of it is missing or cut short ({error})"))
            }
            sled::Error::Io(source) => Self::Io { path: path.to_owned(), source },
            sled::Error::Corruption { .. } => damaged(path, "a checksum in it does not hold"),
            other => damaged(path, other.to_string()),
        }
    }
}

fn damaged(path: &Path, what: impl Into<String>) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), what: what.into() }
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
    let started = Instant::now();
    loop {
        let taken = Lock::take(path, Duration::ZERO, LOCK_PAUSE);
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
    loop {
        remains::clear(path).map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
        let opened = without_panic(|| config.open())
            .map_err(|reason| damaged(path, format!("it cannot be opened ({reason})")))?;
        match opened {
            Ok(db) => return Ok(db),
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
