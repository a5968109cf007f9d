//! Opening of stores: the lock, the format, checks of the files.

use std::fs;
use std::path::Path;
use std::sync::Mutex;

use super::disk::acquire::{lock, lock_to_read};
use super::disk::free_space::check_room;
use super::disk::fsync::{Durable, make_folder};
use super::disk::lock::Lock;
use super::disk::lock_owner::HeldLock;
use super::disk::trees::copy_trees;
use super::disk::watchdog::WriteWatch;
use super::disk::{leftovers, migration, replace};
use super::engine::StoreEngine;
use super::error::{StoreError, damaged};
use super::layout::{DATABASE, FORMAT, FORMAT_KEY, FREE_BYTES, SYNCED_KEY, TRAININGS};
use super::marker;
use super::place::{self, Layout, PathKind, look};
use super::preflight::{Prepared, format_number, prepare, read_image};
use super::store::{Store, Synced};
use crate::util::atomic_file::create_like_folder;

/// Modes of opening a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// For writing; a missing store is created.
    ReadWrite,
    /// For writing; a missing store is an error.
    ReadWriteMustExist,
    /// For reading, without changing a byte; a missing store is an error.
    ReadOnlyMustExist,
}

impl Store {
    /// Opens the store in a folder.
    ///
    /// # Errors
    /// The store is missing, open in another process, of a newer format or damaged, or the folder is not a
    /// store's or cannot be used. Nothing is changed then.
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

    /// Reads a store whose lock is held; `None` if a process was killed before it had completed the store.
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
        let mut store = Self::with(path, trainings, StoreEngine::Image(image), lock)?;
        if format < FORMAT {
            store.journal = migration::trials_in_memory(&store)?;
        }
        Ok(Some(store))
    }

    fn open_to_write(path: &Path, make: bool) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), source };
        let found = look(path)?;
        if make {
            if matches!(found, PathKind::Missing | PathKind::Empty) {
                make_folder(path).map_err(io)?;
                marker::mark(path).map_err(io)?;
            }
        } else if !matches!(found, PathKind::Store(_) | PathKind::Unfinished) {
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
            PathKind::Store(layout) => prepare(path, &layout)?,
            PathKind::Unfinished => return Err(StoreError::Unfinished { path: path.to_owned() }),
            PathKind::Unmade if make => Prepared::New,
            PathKind::Missing | PathKind::Empty | PathKind::Unmade => return Err(no_store(path)),
        };
        let holding = HeldLock::new(path);
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
            copy_trees(&StoreEngine::Image(image.clone()), path, &staged, synced)?;
            replace::replace(path).map_err(io)?;
        }
        let watch = WriteWatch::start(path);
        let db = StoreEngine::open(path)?;
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

    /// Migrates the store from an older format. An interrupted migration is completed by the next opening.
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

    /// Returns true unless it is certain that no process is writing into the store in a folder.
    ///
    /// The lock decides, not the holder's file, which may have been copied along with the store.
    pub fn is_in_use(path: &Path) -> bool {
        !matches!(Lock::share(path, &path.join(DATABASE)), Ok(Some(lock)) if lock.is_certain())
    }
}

/// Returns the files of a store; a missing store is an error.
fn existing(path: &Path) -> Result<Layout, StoreError> {
    match look(path)? {
        PathKind::Store(layout) => Ok(layout),
        PathKind::Unfinished => Err(StoreError::Unfinished { path: path.to_owned() }),
        PathKind::Missing | PathKind::Empty | PathKind::Unmade => Err(no_store(path)),
    }
}

fn no_store(path: &Path) -> StoreError {
    match fs::read_link(path) {
        Ok(target) => StoreError::LeadsAstray { path: path.to_owned(), target },
        Err(_) => StoreError::NoStore { path: path.to_owned() },
    }
}
