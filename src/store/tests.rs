//! Tests of the store as a whole.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::*;

fn record(name: &str) -> RunRecord {
    RunRecord {
        name: name.to_owned(),
        number: 0,
        file: format!("{name}.rhai"),
        sources: BTreeMap::new(),
        settings: serde_json::json!({"threads": 2, "seed": u64::MAX, "args": {"x": 0.1}}),
        seed: u64::MAX,
        steps: Some(10),
        objectives: vec!["accuracy:max".parse().unwrap()],
        status: Status::Created,
        program: "tandem".to_owned(),
        data: BTreeMap::new(),
        origins: Vec::new(),
        sweep: None,
        forked_from: None,
        created_s: 1,
        updated_s: 1,
        phases: Vec::new(),
        trials: 0,
        failed: 0,
    }
}

fn trial(step: u64, reward: f64) -> Trial {
    Trial {
        step,
        phase: 0,
        point: vec![1, u16::MAX],
        text: BTreeMap::from([("cnn".to_owned(), "x".to_owned())]),
        outcome: Outcome::Done {
            metrics: BTreeMap::from([("latency_ms".to_owned(), 0.1 + 0.2)]),
            reward,
            valid: step.is_multiple_of(2),
        },
    }
}

fn open(path: &Path) -> Store {
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
    let trials: Vec<Trial> = (0..300).map(|step| trial(step, step as f64 / 3.0)).collect();
    store.append(&run.name, &trials[..1]).unwrap();
    store.append(&run.name, &trials[1..]).unwrap();
    for step in [100, 200, 300] {
        store.save_checkpoint(&run.name, step, &[step as u8; 5]).unwrap();
    }
    let digest = store.put_source("fn space() {}").unwrap();
    store.sync().unwrap();
    drop(store);

    let store = Store::open(&path, OpenMode::ReadOnlyMustExist).unwrap();
    assert_eq!(store.run(&run.name).unwrap(), run);
    let stored: Vec<Trial> = store.trials(&run.name).unwrap().map(Result::unwrap).collect();
    assert_eq!(stored, trials);
    assert_eq!(store.trial_count(&run.name).unwrap(), 300);
    assert_eq!(store.trial(&run.name, 299).unwrap().as_ref(), trials.last());
    assert_eq!(store.trial(&run.name, 300).unwrap(), None);
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
        format!("{} has no run `a-b-3`; did you mean a-b-1 or a-b-2?", store.path().display())
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
    store.append(&run, &[trial(0, 1.0)]).unwrap();
    for wrong in [vec![trial(0, 1.0)], vec![trial(2, 1.0)], vec![trial(1, 1.0), trial(1, 1.0)]] {
        assert!(matches!(store.append(&run, &wrong), Err(StoreError::JournalConflict { .. })));
    }
    assert_eq!(
        store.append(&run, &[trial(1, 0.5), trial(2, f64::NAN)]).unwrap_err().to_string(),
        "trial 2 of run `r-1` has reward NaN, which is not a finite number"
    );
    assert_eq!(store.trial_count(&run).unwrap(), 1);
    store.append(&run, &[trial(1, 0.5)]).unwrap();
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
        let key = keys::key("r", step);
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
            "the store at {} is damaged: no checkpoint of run `r` is whole; restore it from a \
             copy, or use another store with `--store`",
            store.path().display()
        )
    );
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    let run = store.create_run(record("r")).unwrap().name;
    store.db.open_tree("meta").unwrap().insert("format", &7u32.to_be_bytes()).unwrap();
    drop(store);
    let expected = format!(
        "the store at {} has format 7, and this program knows formats up to 1; use a newer \
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
    assert_eq!(
        refusal(&path, OpenMode::ReadWrite),
        format!(
            "the store at {} is in use by process {}; wait for it to end, or use another store \
             with `--store`",
            path.display(),
            std::process::id()
        )
    );
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

/// Whatever byte is spoiled, opening and reading either gives what was stored or an error.
#[test]
fn a_spoiled_file_is_never_read_as_something_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store");
    let store = open(&path);
    let run = store.create_run(record("r")).unwrap();
    let trials: Vec<Trial> = (0..50).map(|step| trial(step, step as f64)).collect();
    store.append(&run.name, &trials).unwrap();
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
        match store.trials(&run.name).unwrap().collect::<Result<Vec<Trial>, _>>() {
            Ok(stored) => assert_eq!(stored, trials),
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 0);
}
