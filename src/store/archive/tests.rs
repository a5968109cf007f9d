//! Tests of archives: round trips and rejected archives.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::super::disk::replace;
use super::super::tests::{entry, open, record};
use super::super::{OpenMode, Store, StoreError};
use super::export::Archive;
use super::format::{self, Manifest, Totals};
use crate::util::checksum::hashed;

/// Creates a store with some of everything.
fn filled(path: &Path) -> Store {
    let store = open(path);
    let source = store.put_source("fn space() {}").unwrap();
    let mut run = record("r");
    run.sources.insert("r.rhai".to_owned(), source);
    let run = store.create_run(run).unwrap().name;
    let entries: Vec<_> = (0..600).map(|step| entry(step, 0.5)).collect();
    store.append(&run, &entries).unwrap();
    store.save_checkpoint(&run, 600, b"controllers").unwrap();
    store.put_training("abc", b"{}").unwrap();
    fs::create_dir_all(path.join("trainings")).unwrap();
    fs::write(path.join("trainings/abd"), hashed(&[7; 5000])).unwrap();
    fs::write(path.join("trainings/abe"), hashed(b"")).unwrap();
    fs::write(path.join("trainings/abd.new"), [7; 50]).unwrap();
    store
}

fn export(store: &Store) -> (Vec<u8>, Totals) {
    let mut bytes = Vec::new();
    let totals = store.export(&mut bytes, Path::new("x")).unwrap();
    (bytes, totals)
}

fn import(path: &Path, bytes: &[u8]) -> Result<Totals, StoreError> {
    Store::import(path, bytes, Path::new("x.tar.zst"))
}

fn refusal(path: &Path, bytes: &[u8]) -> String {
    import(path, bytes).unwrap_err().to_string()
}

#[test]
fn an_imported_store_exports_to_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir.path().join("a"));
    let odd = store.db.tree(b"odd/\xff").unwrap();
    let long: Vec<u8> = (0..3_000_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
    odd.insert(b"\xff\0\xfe", long.as_slice()).unwrap();
    odd.insert(b"\0", &b""[..]).unwrap();
    for key in 0..3000_u32 {
        odd.insert(key.to_be_bytes(), vec![key as u8; 700]).unwrap();
    }
    store.db.tree(b"empty").unwrap();
    let (bytes, totals) = export(&store);
    assert_eq!(totals.trees["odd%2f%ff"].records, 3002);
    assert_eq!(totals.trees["empty"].records, 0);
    assert_eq!((totals.trees["runs"].records, totals.files), (1, 2));
    // How often a store was brought to the disk is none of its contents.
    store.sync().unwrap();
    assert!(export(&store).0 == bytes);

    let path = dir.path().join("b");
    assert_eq!(import(&path, &bytes).unwrap(), totals);
    let copy = open(&path);
    assert_eq!(copy.db.tree(b"odd/\xff").unwrap().get(b"\xff\0\xfe").unwrap().unwrap(), long);
    assert_eq!(fs::read(copy.training_checkpoint("abd")).unwrap(), hashed(&[7; 5000]));
    assert!(!path.join("trainings/abd.new").exists());
    assert!(export(&copy).0 == bytes);
}

#[test]
fn an_archive_goes_into_an_empty_store_only() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir.path().join("a"));
    let (bytes, totals) = export(&store);
    let path = dir.path().join("b");
    let empty = open(&path);
    empty.sync().unwrap();
    drop(empty);
    assert_eq!(import(&path, &bytes).unwrap(), totals);
    let copy = open(&path);
    assert_eq!(copy.runs().unwrap(), store.runs().unwrap());
    drop(copy);
    let expected = format!(
        "the store at {} has records, as `abc`, and what is imported or salvaged goes into an empty \
         store; name a new or empty folder",
        path.display()
    );
    assert_eq!(refusal(&path, &bytes), expected);
    assert!(export(&open(&path)).0 == bytes);

    let used = dir.path().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("thesis.tex"), "x").unwrap();
    assert!(matches!(import(&used, &bytes), Err(StoreError::NotAStore { .. })));
    assert_eq!(fs::read_dir(&used).unwrap().count(), 1);
    assert!(matches!(import(&store.path, &bytes), Err(StoreError::Held { .. })));
}

#[test]
fn a_spoiled_archive_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir.path().join("a"));
    let (bytes, _) = export(&store);
    let path = dir.path().join("b");
    let steps = bytes.len() / 25;
    let cuts = (0..bytes.len()).step_by(steps).chain(bytes.len() - 12..bytes.len());
    for cut in cuts {
        let error = import(&path, &bytes[..cut]).unwrap_err();
        assert!(matches!(error, StoreError::Archive { .. }), "cut at {cut}: {error}");
        assert!(!path.exists(), "cut at {cut}");
    }
    let mut refused = 0;
    for at in (0..16).chain((16..bytes.len()).step_by(steps)).chain([bytes.len() - 1]) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        match import(&path, &flipped) {
            Err(error) => {
                assert!(matches!(error, StoreError::Archive { .. }), "flipped at {at}: {error}");
                assert!(!path.exists(), "flipped at {at}");
                refused += 1;
            }
            // zstd has a bit in its head that means nothing.
            Ok(_) => {
                assert!(export(&open(&path)).0 == bytes, "flipped at {at}");
                fs::remove_dir_all(&path).unwrap();
            }
        }
    }
    assert!(refused >= 40, "{refused}");
    let mut longer = bytes;
    longer.extend_from_slice(b"more");
    assert!(matches!(import(&path, &longer), Err(StoreError::Archive { .. })));
    assert!(matches!(import(&path, b"no archive"), Err(StoreError::Archive { .. })));
    assert!(!path.exists());
}

/// Returns an archive with the changed entries of another.
fn changed(bytes: &[u8], change: impl Fn(&str, &mut Vec<u8>) -> bool) -> Vec<u8> {
    let mut tar = tar::Archive::new(zstd::Decoder::new(bytes).unwrap());
    let mut out = Vec::new();
    let mut archive = Archive::new(&mut out).unwrap();
    let mut totals = Totals::default();
    for entry in tar.entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = String::from_utf8(entry.path_bytes().into_owned()).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        match name.as_str() {
            format::CHECKSUMS => {}
            format::END => {
                let end: format::ArchiveEnd = serde_json::from_slice(&content).unwrap();
                totals = end.totals;
            }
            _ if change(&name, &mut content) => archive.entry(&name, &content).unwrap(),
            _ => {}
        }
    }
    archive.end(totals).unwrap();
    out
}

#[test]
fn an_archive_that_is_not_as_described_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir.path().join("a"));
    let (bytes, _) = export(&store);
    assert!(changed(&bytes, |_, _| true) == bytes);
    let path = dir.path().join("b");
    let version = |version, format| {
        changed(&bytes, |name, content| {
            if name == format::MANIFEST {
                let kind = format::KIND.to_owned();
                *content = serde_json::to_vec(&Manifest { kind, version, format }).unwrap();
            }
            true
        })
    };
    assert_eq!(
        refusal(&path, &version(2, 99)),
        "x.tar.zst is an archive of version 2, and this program knows versions up to 1; use a \
         newer tandem. Nothing was imported"
    );
    assert!(refusal(&path, &version(1, 99)).contains("is an archive of a store of version 99"));
    assert!(refusal(&path, &version(1, 0)).contains("of another format than it says"));
    let without = |left_out| refusal(&path, &changed(&bytes, |name, _| name != left_out));
    assert!(without("manifest.json").contains("it does not begin as one"));
    assert!(without("trees/runs/00000000").contains("it has not what its end says"));
    let cut = changed(&bytes, |name, content| {
        content.truncate(if name.starts_with("trees/runs/") { 30 } else { usize::MAX });
        true
    });
    assert!(refusal(&path, &cut).contains("a record in trees/runs/00000000 is cut off"));
    let twice = changed(&bytes, |name, content| {
        if name.starts_with("trees/runs/") {
            content.extend(content.clone());
        }
        true
    });
    assert!(refusal(&path, &twice).contains("a record in trees/runs/00000000 is out of place"));
    assert!(!path.exists());

    for name in ["a%2fb", "%2e.", "%2e", "%00", "%2fetc%2fx", "%2e.%5cx", "%ff"] {
        let mut out = Vec::new();
        let mut archive = Archive::new(&mut out).unwrap();
        let kind = format::KIND.to_owned();
        archive.json(format::MANIFEST, &Manifest { kind, version: 1, format: 2 }).unwrap();
        archive.entry(&format!("files/trainings/{name}"), b"x").unwrap();
        archive.end(Totals::default()).unwrap();
        assert!(refusal(&path, &out).contains("is no name of a file"), "{name}");
        assert!(!path.exists());
    }
}

#[test]
fn an_import_that_was_cut_off_is_no_store_and_begins_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(&dir.path().join("a"));
    let (bytes, _) = export(&store);
    let path = dir.path().join("b");
    fs::create_dir(&path).unwrap();
    // As a kill leaves it: a part of the records, in a database of its own.
    let staged = replace::stage(&path).unwrap();
    drop(sled::open(&staged).unwrap());
    for mode in [OpenMode::ReadWrite, OpenMode::ReadOnlyMustExist] {
        assert_eq!(
            Store::open(&path, mode).unwrap_err().to_string(),
            format!(
                "an import or a salvage into the store at {} was cut off; begin it again, or remove \
                 the folder",
                path.display()
            )
        );
    }
    import(&path, &bytes).unwrap();
    assert!(export(&open(&path)).0 == bytes);
}
