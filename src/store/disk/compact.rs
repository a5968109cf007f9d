//! Compaction: giving disk space back.

use super::replace;
use super::trees::{copy_trees, is_local};
use crate::store::bytes::Bytes;
use crate::store::disk_usage::database_bytes;
use crate::store::engine::{StoreEngine, Tree};
use crate::store::error::StoreError;
use crate::store::store::Store;

/// The result of a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes of the database on disk before.
    pub before: u64,
    /// Bytes of the database on disk afterwards; equal to `before` if a fresh database is no smaller.
    pub after: u64,
}

impl Store {
    /// Copies the store's records into a fresh database, compares the two, and replaces the old database.
    ///
    /// sled appends and reclaims little space, while a database written in one go is small. The old database
    /// stays if the fresh one is no smaller. The folder stays locked throughout. A kill leaves one of the two
    /// databases in place; the next opening for writing cleans up.
    ///
    /// # Errors
    /// The store fails or is damaged, or the disk has no space for a second database. The store is unchanged.
    pub fn compact(mut self) -> Result<Compacted, StoreError> {
        let path = self.path.clone();
        let failed = |source| StoreError::Io { path: path.clone(), source };
        // Whatever is waiting is part of what is there before.
        self.sync()?;
        let before = database_bytes(&path).map_err(failed)?;
        let staged = replace::stage(&path).map_err(failed)?;
        let write = || {
            copy_trees(&self.db, &path, &staged, self.last_sync() + 1)?;
            // Read from the disk, not from what was just in memory.
            compare(&self, &StoreEngine::open(&staged)?)
        };
        if let Err(error) = write() {
            let _ = replace::discard(&path);
            return Err(error);
        }
        if database_bytes(&staged).map_err(failed)? >= before {
            replace::discard(&path).map_err(failed)?;
            return Ok(Compacted { before, after: before });
        }
        // sled writes into the folder as long as it is open. What it has is the old database's: nothing more of
        // that is to be brought to the disk.
        let lock = self.lock.clone();
        self.holding = None;
        drop(self);
        replace::replace(&path).map_err(failed)?;
        let after = database_bytes(&path).map_err(failed)?;
        drop(lock);
        Ok(Compacted { before, after })
    }
}

/// Returns an error if a copy differs from the store's database in any tree or record.
fn compare(store: &Store, copy: &StoreEngine) -> Result<(), StoreError> {
    let failed = |error| store.failed(error);
    let (ours, theirs) = (store.db.trees().map_err(failed)?, copy.trees().map_err(failed)?);
    let names = |trees: &[(Bytes, Tree)]| -> Vec<Bytes> {
        trees.iter().map(|(name, _)| name.clone()).collect()
    };
    let mut same = names(&ours) == names(&theirs);
    for ((name, ours), (_, theirs)) in ours.iter().zip(&theirs) {
        let mut theirs = theirs.iter();
        for record in ours {
            let (record, copied) =
                (record.map_err(failed)?, theirs.next().transpose().map_err(failed)?);
            same &= copied.is_some_and(|copied| {
                copied == record || (is_local(name, &record.0) && copied.0 == record.0)
            });
        }
        same &= theirs.next().is_none();
    }
    if same { Ok(()) } else { Err(store.damaged("a copy of its database differs from it")) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::store::tests::{entry, open, record};

    fn records(store: &Store) -> Vec<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let mut all = Vec::new();
        for (name, tree) in store.db.trees().unwrap() {
            for record in &tree {
                let (key, value) = record.unwrap();
                if !is_local(&name, &key) {
                    all.push((name.to_vec(), key.to_vec(), value.to_vec()));
                }
            }
        }
        all
    }

    #[test]
    fn a_compacted_store_is_the_same_and_smaller() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = open(&path);
        let run = store.create_run(record("r")).unwrap().name;
        store.append(&run, &(0..2000).map(|step| entry(step, 0.5)).collect::<Vec<_>>()).unwrap();
        for step in 0..40 {
            store.save_checkpoint(&run, step, &vec![step as u8; 300_000]).unwrap();
        }
        store.save_checkpoint(&run, 2000, &vec![1; 2_000_000]).unwrap();
        fs::create_dir_all(path.join("trainings")).unwrap();
        fs::write(path.join("trainings/a"), "kept").unwrap();
        store.sync().unwrap();
        let before = records(&store);

        let done = store.compact().unwrap();
        assert!(done.after < done.before, "{done:?}");
        let store = open(&path);
        assert_eq!(records(&store), before);
        assert_eq!(fs::read_to_string(path.join("trainings/a")).unwrap(), "kept");
        // Another time there is little or nothing to gain, and nothing is lost.
        let again = store.compact().unwrap();
        assert!(again.before <= done.after + (1 << 20) && again.after <= again.before, "{again:?}");
        let store = open(&path);
        assert!(!replace::is_unfinished(&path) && replace::ready(&path).is_none());
        assert_eq!(records(&store), before);
        let mut trials = store.trials(&run).unwrap();
        assert!(trials.all(|trial| trial.is_ok()));
        store.append(&run, &[entry(2000, 0.5)]).unwrap();
        store.sync().unwrap();
        drop(trials);
        drop(store);
        assert_eq!(open(&path).trial_count(&run).unwrap(), 2001);
    }

    #[test]
    fn what_was_cut_off_before_the_fresh_database_was_whole_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = open(&path);
        let run = store.create_run(record("r")).unwrap().name;
        copy_trees(&store.db, &path, &replace::stage(&path).unwrap(), 2).unwrap();
        store.append(&run, &[entry(0, 0.5)]).unwrap();
        drop(store);
        let store = open(&path);
        assert!(!replace::is_unfinished(&path));
        assert_eq!(store.trial_count(&run).unwrap(), 1);
    }

    #[test]
    fn a_copy_that_differs_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("store");
        let store = open(&path);
        store.create_run(record("r")).unwrap();
        let staged = replace::stage(&path).unwrap();
        copy_trees(&store.db, &path, &staged, 2).unwrap();
        let other = StoreEngine::open(&staged).unwrap();
        compare(&store, &other).unwrap();
        let runs = other.tree(b"runs").unwrap();
        let (key, value) = runs.iter().next().unwrap().unwrap();
        let spoils: [&dyn Fn(); 4] = [
            &|| runs.insert("s", "x").unwrap(),
            &|| runs.insert(&key, "x").unwrap(),
            &|| runs.remove(&key).unwrap(),
            &|| drop(other.tree(b"more").unwrap()),
        ];
        for spoil in spoils {
            spoil();
            assert!(matches!(compare(&store, &other), Err(StoreError::Damaged { .. })));
            runs.remove("s").unwrap();
            runs.insert(&key, value.clone()).unwrap();
        }
        other.drop_tree(b"more").unwrap();
        compare(&store, &other).unwrap();
    }
}
