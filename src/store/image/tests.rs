//! Tests against sled: an image has the same records as sled after any sequence of changes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::marked::Mark;
use super::{Files, Image};

type Records = BTreeMap<Vec<u8>, Vec<u8>>;

fn files(folder: &Path) -> Files {
    Files {
        log: folder.join("db"),
        blobs: vec![folder.join("blobs")],
        snapshots: Some(folder.to_owned()),
    }
}

fn image(folder: &Path) -> Arc<Image> {
    let mark = Mark { tree: b"none", key: b"none", expected: None };
    Arc::new(Image::open(files(folder), mark).unwrap())
}

fn database(folder: &Path) -> sled::Db {
    let config = sled::Config::new().path(folder).flush_every_ms(None);
    config.cache_capacity(1 << 20).mode(sled::Mode::HighThroughput).open().unwrap()
}

/// Asserts that an image has the same records as a model, by every kind of access.
#[track_caller]
fn same(image: &Arc<Image>, model: &BTreeMap<&[u8], Records>, random: &mut StdRng) {
    image.check().unwrap();
    for (name, records) in model {
        let tree = image.tree(name).unwrap();
        let all: Records = tree
            .ascending(b"", b"")
            .map(|record| record.map(|(key, value)| (key.to_vec(), value.to_vec())).unwrap())
            .collect();
        assert!(all == *records, "{} of {} records", all.len(), records.len());
        let back: Vec<Vec<u8>> =
            tree.descending(b"").map(|record| record.unwrap().0.to_vec()).collect();
        assert!(back.iter().eq(records.keys().rev()));
        for _ in 0..200 {
            let key = key(random);
            assert_eq!(tree.get(&key).unwrap().as_deref(), records.get(&key).map(Vec::as_slice));
            let prefix = &key[..random.random_range(0..=key.len())];
            let of_prefix = || records.keys().filter(|key| key.starts_with(prefix));
            let found = tree.ascending(prefix, prefix).map(|record| record.unwrap().0);
            assert!(found.eq(of_prefix().map(|key| key.as_slice())));
            let found = tree.descending(prefix).map(|record| record.unwrap().0);
            assert!(found.eq(of_prefix().rev().map(|key| key.as_slice())));
            let from = tree.ascending(&key, b"").next().map(|record| record.unwrap().0.to_vec());
            assert_eq!(from.as_ref(), records.range(key..).next().map(|(key, _)| key));
        }
    }
}

fn key(random: &mut StdRng) -> Vec<u8> {
    let run = ["a-1", "a-10", "a-2", "\u{ff}"][random.random_range(0..4)];
    let step: u64 = random.random_range(0..3000);
    [run.as_bytes(), b"\0", &step.to_be_bytes()].concat()
}

fn value(random: &mut StdRng) -> Vec<u8> {
    let length = match random.random_range(0..1000) {
        // Long enough for a file of its own.
        0 => random.random_range(100_000..700_000),
        1..100 => random.random_range(0..9000),
        _ => random.random_range(0..200),
    };
    (0..length).map(|_| random.random()).collect()
}

/// Random writes and removals with reopening in between: pages split and merge, trees come and go, segments
/// are reused.
#[test]
fn an_image_has_what_sled_has() {
    let mut random = StdRng::seed_from_u64(7);
    let dir = tempfile::tempdir().unwrap();
    let mut model: BTreeMap<&[u8], Records> = BTreeMap::new();
    for round in 0..12 {
        let db = database(dir.path());
        for name in [b"journal".as_slice(), b"meta", b"one more"] {
            let tree = db.open_tree(name).unwrap();
            let records = model.entry(name).or_default();
            // In some rounds nearly all goes away.
            let removes = if round % 4 == 3 { 0.9 } else { 0.2 };
            for _ in 0..2500 {
                let (key, value) = (key(&mut random), value(&mut random));
                if random.random_bool(removes) {
                    assert_eq!(
                        tree.remove(&key).unwrap().as_deref(),
                        records.remove(&key).as_deref()
                    );
                } else {
                    tree.insert(&key, value.as_slice()).unwrap();
                    records.insert(key, value);
                }
            }
            let (mut batch, mut written) = (sled::Batch::default(), Vec::new());
            for _ in 0..50 {
                let (key, value) = (key(&mut random), value(&mut random));
                batch.insert(key.as_slice(), value.as_slice());
                written.push((key, value));
            }
            tree.apply_batch(batch).unwrap();
            records.extend(written);
        }
        if round == 8 {
            assert!(db.drop_tree("one more").unwrap());
            model.remove(b"one more".as_slice());
        }
        db.flush().unwrap();
        // As a kill would leave the files.
        let killed = tempfile::tempdir().unwrap();
        copy(dir.path(), killed.path());
        let open = image(killed.path());
        drop(db);
        let closed = image(dir.path());
        for image in [&open, &closed] {
            assert_eq!(
                image.names().filter(|name| !name.starts_with(b"__")).collect::<Vec<_>>(),
                model.keys().copied().collect::<Vec<_>>()
            );
            same(image, &model, &mut random);
        }
    }
    assert!(fs::metadata(dir.path().join("db")).unwrap().len() > 8 << 20);
    assert!(fs::read_dir(dir.path().join("blobs")).unwrap().count() > 3);
}

/// sled releases segments whose pages were all rewritten, also the first ones of a log. The beginning of such
/// a log is only in a snapshot.
#[test]
fn a_log_whose_beginning_was_given_up_is_read() {
    let mut random = StdRng::seed_from_u64(9);
    for _ in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let mut model: BTreeMap<&[u8], Records> =
            BTreeMap::from([(&b"journal"[..], Records::new())]);
        for round in 0..5 {
            let db = sled::Config::new().path(dir.path()).open().unwrap();
            let tree = db.open_tree("journal").unwrap();
            let records = model.get_mut(&b"journal"[..]).unwrap();
            for _ in 0..if round == 0 { 3000 } else { 10 } {
                let (key, value) = (key(&mut random), vec![random.random(); 150]);
                tree.insert(&key, value.as_slice()).unwrap();
                records.insert(key, value);
            }
            db.flush().unwrap();
            drop((tree, db));
            same(&image(dir.path()), &model, &mut random);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &to);
        } else {
            // sled removes files that it has no more use for.
            match fs::copy(entry.path(), to) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                copied => drop(copied.unwrap()),
            }
        }
    }
}

/// For any cut of the log, an image has the same records as sled after it opens the same files.
#[test]
fn what_a_kill_cut_is_read_as_sled_reads_it() {
    let mut random = StdRng::seed_from_u64(8);
    let dir = tempfile::tempdir().unwrap();
    let db = database(dir.path());
    let tree = db.open_tree("journal").unwrap();
    for _ in 0..2000 {
        let value = value(&mut random);
        tree.insert(key(&mut random), &value[..value.len().min(5000)]).unwrap();
        db.flush().unwrap();
    }
    let copied = tempfile::tempdir().unwrap();
    copy(dir.path(), copied.path());
    drop(db);
    let whole = fs::read(copied.path().join("db")).unwrap();
    let end = whole.iter().rposition(|&byte| byte != 0).unwrap();
    for _ in 0..25 {
        let cut = end - random.random_range(0..60_000);
        let place = tempfile::tempdir().unwrap();
        copy(copied.path(), place.path());
        let log = File::options().write(true).open(place.path().join("db")).unwrap();
        log.set_len(cut as u64).unwrap();
        log.set_len(whole.len() as u64).unwrap();
        let image = image(place.path());
        image.check().unwrap();
        let db = database(place.path());
        let expected = db.open_tree("journal").unwrap().iter().map(Result::unwrap);
        let found = image.tree(b"journal").unwrap().ascending(b"", b"").map(Result::unwrap);
        assert!(found.eq(expected), "cut at {cut}");
    }
}
