//! Tests of the store as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::disk::leftovers;
use super::disk::lock::Lock;
use super::format::keys::key;
use super::marker;
use super::*;

pub(super) fn record(name: &str) -> RunRecord {
    RunRecord {
        settings: serde_json::json!({"threads": 2, "seed": u64::MAX, "args": {"x": 0.1}}),
        seed: u64::MAX,
        steps: Some(10),
        objectives: vec!["accuracy:max".parse().unwrap()],
        program: "tandem".to_owned(),
        created_s: 1,
        updated_s: 1,
        ..RunRecord::new(name, &format!("{name}.rhai"))
    }
}

/// Returns a study whose file's text is in the store.
pub(super) fn study(store: &Store) -> StudyRecord {
    StudyRecord {
        name: "s".to_owned(),
        file: "s.yaml".to_owned(),
        source: store.put_source("strategies: []").unwrap(),
        plan: serde_json::json!({}),
        program: "tandem".to_owned(),
        forked_from: None,
        created_s: 1,
        number: 0,
    }
}

pub(super) fn entry(step: u64, reward: f64) -> Entry {
    let trial = Trial {
        step,
        phase: 0,
        point: vec![1, u16::MAX],
        text: BTreeMap::from([("cnn".to_owned(), "x".to_owned())]),
        outcome: Outcome::Done {
            metrics: BTreeMap::from([("latency_ms".to_owned(), 0.1 + 0.2)]),
            reward,
            valid: step.is_multiple_of(2),
        },
    };
    Entry { trial, effort: TrialCost { micros: step, reused: Reused::ACCURACY } }
}

fn stored(store: &Store, run: &str) -> Result<Vec<Entry>, StoreError> {
    (store as &dyn Reader).entries(run)?.collect()
}

pub(super) fn open(path: &Path) -> Store {
    Store::open(path, OpenMode::ReadWrite).unwrap()
}

fn refusal(path: &Path, mode: OpenMode) -> String {
    Store::open(path, mode).unwrap_err().to_string()
}

#[test]
fn everything_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    let run = store.create_run(record("quick")).unwrap();
    let entries: Vec<Entry> = (0..1300).map(|step| entry(step, step as f64 / 3.0)).collect();
    store.append(&run.name, &entries[..1]).unwrap();
    store.append(&run.name, &entries[1..]).unwrap();
    for step in [100, 200, 300] {
        store.save_checkpoint(&run.name, step, &[step as u8; 5]).unwrap();
    }
    let digest = store.put_source("fn space() {}").unwrap();
    store.sync().unwrap();
    drop(store);

    let store = Store::open(&path, OpenMode::ReadOnlyMustExist).unwrap();
    assert_eq!(store.run(&run.name).unwrap(), run);
    assert_eq!(stored(&store, &run.name).unwrap(), entries);
    assert_eq!(store.trial_count(&run.name).unwrap(), 1300);
    let reader: &dyn Reader = &store;
    for step in [0, 127, 128, 1299] {
        assert_eq!(reader.entry(&run.name, step).unwrap().as_ref(), entries.get(step as usize));
    }
    assert_eq!(reader.entry(&run.name, 1300).unwrap(), None);
    assert_eq!(reader.entry(&run.name, 99_999).unwrap(), None);
    assert_eq!(reader.block(&run.name, u64::MAX).unwrap(), None);
    assert_eq!(store.latest_checkpoint(&run.name).unwrap(), Some((300, vec![44; 5])));
    assert_eq!(store.checkpoints.iter().count(), 2);
    assert_eq!(store.source(&digest).unwrap().as_deref(), Some("fn space() {}"));
    assert_eq!(store.source("0").unwrap(), None);
}

#[test]
fn names_are_numbered_by_experiment() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    let names: Vec<String> = ["a", "a", "a b", "a", "a-b"]
        .into_iter()
        .map(|name| store.create_run(record(name)).unwrap().name)
        .collect();
    assert_eq!(names, ["a-1", "a-2", "a-b-1", "a-3", "a-b-2"]);
    assert_eq!(store.runs().unwrap().len(), 5);
    assert_eq!(
        store.run("a-b-3").unwrap_err().to_string(),
        format!(
            "{} has no run `a-b-3`; did you mean a-b-1 or a-b-2 or a-3?",
            store.path().display()
        )
    );
    assert_eq!(
        store.run("zzz").unwrap_err().to_string(),
        format!("{} has no run `zzz`; `tandem runs` lists them", store.path().display())
    );
}

#[test]
fn a_journal_only_goes_on_where_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    let run = store.create_run(record("r")).unwrap().name;
    store.append(&run, &[entry(0, 1.0)]).unwrap();
    for wrong in [vec![entry(0, 1.0)], vec![entry(2, 1.0)], vec![entry(1, 1.0), entry(1, 1.0)]] {
        assert!(matches!(store.append(&run, &wrong), Err(StoreError::JournalConflict { .. })));
    }
    assert_eq!(
        store.append(&run, &[entry(1, 0.5), entry(2, f64::NAN)]).unwrap_err().to_string(),
        "trial 2 of run `r-1` has reward NaN, which is not a finite number"
    );
    assert_eq!(store.trial_count(&run).unwrap(), 1);
    store.append(&run, &[entry(1, 0.5)]).unwrap();
    assert_eq!(store.trial_count(&run).unwrap(), 2);
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    assert_eq!(store.latest_checkpoint("r").unwrap(), None);
    store.save_checkpoint("r", 10, b"ten").unwrap();
    store.save_checkpoint("r", 20, b"twenty").unwrap();
    let spoil = |step| {
        let key = key("r", step);
        let mut value = store.checkpoints.get(&key).unwrap().unwrap().to_vec();
        *value.last_mut().unwrap() ^= 1;
        store.checkpoints.insert(key, value).unwrap();
    };
    spoil(20);
    assert_eq!(store.latest_checkpoint("r").unwrap(), Some((10, b"ten".to_vec())));
    spoil(10);
    assert_eq!(
        store.latest_checkpoint("r").unwrap_err().to_string(),
        format!(
            "the store at {0} is damaged: no checkpoint of run `r` is whole; `tandem store salvage \
             {0} --to NEW` reads what can be read into a new store, and `tandem store import` makes \
             one of an archive",
            store.path().display()
        )
    );
}

fn everything(tree: &engine::Tree) -> Vec<engine::Record> {
    tree.iter().map(Result::unwrap).collect()
}

#[test]
fn what_a_journal_holds_does_not_depend_on_how_it_was_written() {
    let dir = tempfile::tempdir().unwrap();
    let entries: Vec<Entry> = (0..1500).map(|step| entry(step, step as f64)).collect();
    let mut trees = Vec::new();
    for (number, cut) in [1500, 1, 7, 127, 128, 129].into_iter().enumerate() {
        let path = dir.path().join(number.to_string());
        let store = open(&path);
        let run = store.create_run(record("r")).unwrap().name;
        for (place, part) in entries.chunks(cut).enumerate() {
            store.append(&run, part).unwrap();
            if place == 3 {
                assert_eq!(stored(&store, &run).unwrap(), entries[..(4 * cut).min(1500)]);
            }
        }
        assert_eq!(stored(&store, &run).unwrap(), entries);
        trees.push(everything(&store.journal));
    }
    assert_eq!(trees[0].len(), 11 + 1500 % 128);
    for other in &trees[1..] {
        assert_eq!(trees[0], *other);
    }
}

#[test]
fn a_journal_goes_on_after_its_process_has_ended() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let entries: Vec<Entry> = (0..1100).map(|step| entry(step, step as f64)).collect();
    let run = open(&path).create_run(record("r")).unwrap().name;
    for part in entries.chunks(300) {
        open(&path).append(&run, part).unwrap();
    }
    let store = open(&path);
    assert_eq!(stored(&store, &run).unwrap(), entries);
    assert_eq!(store.journal.iter().count(), 8 + 1100 % 128);
}

#[test]
fn whatever_is_wrong_with_a_journal_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    let entries: Vec<Entry> = (0..1100).map(|step| entry(step, step as f64)).collect();
    let run = store.create_run(record("r")).unwrap().name;
    store.append(&run, &entries).unwrap();
    let whole = everything(&store.journal);
    let refusal = || stored(&store, &run).unwrap_err().to_string();
    for (at, expected) in [
        (0, "trial 0 of run `r-1` is missing"),
        (1, "trial 128 of run `r-1` is missing"),
        (8, "trial 1024 of run `r-1` is missing"),
        (40, "trial 1056 of run `r-1` is missing"),
    ] {
        let (key, value) = &whole[at];
        store.journal.remove(key).unwrap();
        assert!(refusal().contains(expected), "{}", refusal());
        // Another's place.
        store.journal.insert(key, whole[(at + 1) % 40].1.clone()).unwrap();
        assert!(refusal().contains("its checksum does not hold"), "{}", refusal());
        let mut spoiled = value.to_vec();
        *spoiled.last_mut().unwrap() ^= 1;
        store.journal.insert(key, spoiled).unwrap();
        assert!(refusal().contains("its checksum does not hold"), "{}", refusal());
        store.journal.insert(key, &[][..]).unwrap();
        assert!(refusal().contains("it is empty"), "{}", refusal());
        store.journal.insert(key, value).unwrap();
    }
    assert_eq!(stored(&store, &run).unwrap(), entries);
}

/// A store of format 1: a tree `trials` with one record for each trial.
#[test]
fn the_format_before_is_brought_to_the_present_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let entries = |count| (0..count).map(|step| entry(step, step as f64).trial.into());
    let store = open(&path);
    let runs: Vec<String> =
        ["a", "b", "a"].map(|name| store.create_run(record(name)).unwrap().name).into();
    let counts = [1300, 3, 512];
    let old = store.db.tree(b"trials").unwrap();
    for (run, count) in runs.iter().zip(counts) {
        for entry in entries(count) {
            let Entry { trial, .. } = entry;
            old.insert(key(run, trial.step), postcard::to_stdvec(&trial).unwrap()).unwrap();
        }
    }
    let meta = store.db.tree(b"meta").unwrap();
    meta.insert("format", &1u32.to_be_bytes()).unwrap();
    // An interrupted migration left something behind.
    store.journal.insert(key("a-1", 4), "half").unwrap();
    store.sync().unwrap();
    drop((meta, old, store));

    for mode in [OpenMode::ReadOnlyMustExist, OpenMode::ReadWrite] {
        let store = Store::open(&path, mode).unwrap();
        for (run, count) in runs.iter().zip(counts) {
            assert_eq!(stored(&store, run).unwrap(), entries(count).collect::<Vec<Entry>>());
        }
        // Reading changes nothing.
        let is_old = store.db.trees().unwrap().iter().any(|(name, _)| name.as_ref() == b"trials");
        assert_eq!(is_old, mode == OpenMode::ReadOnlyMustExist);
    }
    let store = open(&path);
    store.append(&runs[0], &[entry(1300, 0.0)]).unwrap();
    drop(store);
    assert_eq!(open(&path).trial_count(&runs[0]).unwrap(), 1301);
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    let run = store.create_run(record("r")).unwrap().name;
    store.db.tree(b"meta").unwrap().insert("format", &7u32.to_be_bytes()).unwrap();
    drop(store);
    let expected = format!(
        "the store at {} has format 7, and this program knows formats up to 2; use a newer \
         tandem. Nothing was changed",
        path.display()
    );
    assert_eq!(refusal(&path, OpenMode::ReadWrite), expected);
    assert_eq!(refusal(&path, OpenMode::ReadOnlyMustExist), expected);
    let db = sled::open(&path).unwrap();
    assert!(db.open_tree("runs").unwrap().contains_key(run).unwrap());
}

#[test]
fn a_held_store_names_its_holder() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    // It would be waited for if it did not answer.
    store.answer_at(Some("here".into()));
    let message = refusal(&path, OpenMode::ReadWrite);
    let holder = store.holder();
    let begin = format!(
        "the store at {} is in use by process {} on {} (`tandem {}`) for ",
        path.display(),
        std::process::id(),
        holder.host,
        holder.command
    );
    let end = " ago; wait for it to end, or use another store with `--store`";
    assert!(message.starts_with(&begin) && message.ends_with(end), "{message}");
    drop(store);
    drop(open(&path));
}

#[test]
fn what_is_no_store_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert_eq!(
        refusal(&missing, OpenMode::ReadOnlyMustExist),
        format!(
            "there is no store at {}; `tandem run` makes one, `--store` names another",
            missing.display()
        )
    );
    assert!(!missing.exists());
    fs::write(dir.path().join("thesis.tex"), "x").unwrap();
    assert_eq!(
        refusal(dir.path(), OpenMode::ReadWrite),
        format!(
            "{} holds other files than a store's; name a new or empty folder with `--store`",
            dir.path().display()
        )
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_run_that_has_lost_trials_or_its_record_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("store"));
    let mut run = store.create_run(record("r")).unwrap();
    store.append(&run.name, &[entry(0, 1.0), entry(1, 2.0)]).unwrap();
    run.trials = 2;
    store.update_run(&run).unwrap();
    store.run(&run.name).unwrap();
    let message = |what: &str| {
        format!(
            "the store at {0} is damaged: {what}; `tandem store salvage {0} --to NEW` reads what \
             can be read into a new store, and `tandem store import` makes one of an archive",
            store.path().display()
        )
    };
    store.journal.remove(key(&run.name, 1)).unwrap();
    let error = store.run(&run.name).unwrap_err();
    assert_eq!(error.to_string(), message("run `r-1` had 2 trials and has 1"));
    store.runs.remove(&run.name).unwrap();
    let error = store.run(&run.name).unwrap_err();
    assert_eq!(error.to_string(), message("the record of run `r-1` is missing"));
}

/// A process can be killed before the database is there, and while sled writes a snapshot.
#[test]
fn what_a_killed_opening_leaves_is_no_obstacle() {
    let dir = tempfile::tempdir().unwrap();
    for conf in [&b""[..], b"segment_size: 5242"] {
        let path = dir.path().join(format!("store{}", conf.len()));
        fs::create_dir_all(path.join("blobs")).unwrap();
        marker::mark(&path).unwrap();
        fs::write(path.join("conf"), conf).unwrap();
        let store = open(&path);
        let run = store.create_run(record("r")).unwrap();
        store.sync().unwrap();
        drop(store);
        drop(open(&path));
        let mut files = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        let snapshot = files.find(|path| path.to_string_lossy().contains("snap."));
        let mut unfinished = snapshot.unwrap().into_os_string();
        unfinished.push(".generating");
        fs::write(&unfinished, b"half").unwrap();
        let store = open(&path);
        assert_eq!(store.run(&run.name).unwrap(), run);
        assert!(!Path::new(&unfinished).exists());
        // What belongs to a process that has the store open is left to it.
        fs::write(&unfinished, b"half").unwrap();
        leftovers::clear(&path).unwrap();
        assert!(Path::new(&unfinished).exists());
    }
}

/// A process can be killed while it creates the trees of a new store.
#[test]
fn a_store_that_was_not_made_to_its_end_is_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    for trees in [&[][..], &["runs"], &["runs", "journal", "meta"]] {
        let path = dir.path().join(trees.len().to_string());
        fs::create_dir(&path).unwrap();
        marker::mark(&path).unwrap();
        let db = sled::open(&path).unwrap();
        trees.iter().for_each(|tree| drop(db.open_tree(tree).unwrap()));
        db.flush().unwrap();
        drop(db);
        for _ in 0..200 {
            // A database that was closed may stay locked for a moment.
            if !Lock::is_taken(&path.join("db")).unwrap() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let error = Store::open(&path, OpenMode::ReadOnlyMustExist).unwrap_err();
        assert!(matches!(error, StoreError::NoStore { .. }), "{trees:?}: {error}");
        drop(open(&path));
        Store::open(&path, OpenMode::ReadOnlyMustExist).unwrap();
    }
}

#[test]
fn a_store_without_its_database_is_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    drop(open(&path));
    fs::remove_file(path.join("db")).unwrap();
    assert_eq!(
        refusal(&path, OpenMode::ReadWrite),
        format!(
            "the store at {0} is damaged: its database, the file `db`, is missing; `tandem store \
             salvage {0} --to NEW` reads what can be read into a new store, and `tandem store \
             import` makes one of an archive",
            path.display()
        )
    );
}

/// For any flipped byte, opening and reading give either the stored contents or an error.
#[test]
fn a_spoiled_file_is_never_read_as_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    let run = store.create_run(record("r")).unwrap();
    let entries: Vec<Entry> = (0..600).map(|step| entry(step, step as f64)).collect();
    store.append(&run.name, &entries).unwrap();
    store.sync().unwrap();
    drop(store);

    let file = path.join("db");
    let whole = fs::read(&file).unwrap();
    let used = whole.iter().rposition(|&byte| byte != 0).unwrap();
    let mut refused = 0;
    for at in (0..used).step_by(used / 40) {
        let mut spoiled = whole.clone();
        spoiled[at] ^= 0x55;
        fs::write(&file, spoiled).unwrap();
        let Ok(store) = Store::open(&path, OpenMode::ReadOnlyMustExist) else {
            refused += 1;
            continue;
        };
        let Ok(found) = store.run(&run.name) else {
            refused += 1;
            continue;
        };
        assert_eq!(found, run);
        match stored(&store, &run.name) {
            Ok(stored) => assert_eq!(stored, entries),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
}
