//! Complete sets, from files and from a server on this machine.

use std::fs::{self, File};
use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use md5::{Digest, Md5};
use tempfile::TempDir;

use super::*;
use crate::test_support::server::{Answer, Server};

fn cifar100() -> Official {
    "cifar100".parse().unwrap()
}

/// A folder with data and files to import.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn import(&self, from: &Path) -> Result<Acquired, String> {
        import(&cifar100(), from, &self.data()).map_err(|error| self.short(&error))
    }

    fn short(&self, error: &AcquireError) -> String {
        error.to_string().replace(&format!("{}/", self.0.path().display()), "")
    }

    /// The names in the data folder.
    fn found(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn records(labels: &[u8]) -> Vec<u8> {
    let record =
        |label: &u8| [vec![0, *label], (0..3072).map(|i| (i % 250) as u8).collect()].concat();
    labels.iter().flat_map(record).collect()
}

fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        // As no honest program writes it.
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *bytes).unwrap();
    }
    archive.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

/// A small CIFAR-100.
fn archive() -> Vec<u8> {
    tar(&[
        ("cifar-100-binary/fine_label_names.txt", b"apple"),
        ("cifar-100-binary/train.bin", &records(&[1, 2, 3])),
        ("cifar-100-binary/test.bin", &records(&[4])),
    ])
}

#[test]
fn archives_of_every_kind_give_the_same_set() {
    let (plain, gz) = (archive(), gzip(&archive()));
    let zst = zstd::bulk::compress(&plain, 1).unwrap();
    for bytes in [plain, gz, zst] {
        let place = Place::new();
        let acquired = place.import(&place.file("any name", &bytes)).unwrap();
        let folder = place.data().join("cifar-100-binary");
        let expected = Acquired { place: folder.clone(), train: 3, test: 1, already: false };
        assert_eq!(acquired, expected);
        assert_eq!(place.found(), ["cifar-100-binary"]);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2);
        assert_eq!(fs::read(folder.join("train.bin")).unwrap(), records(&[1, 2, 3]));
    }
}

#[test]
fn folders_are_taken_with_or_without_the_official_one() {
    let place = Place::new();
    place.file("own/train.bin", &records(&[1, 2]));
    place.file("own/notes.txt", b"mine");
    let own = place.0.path().join("own");
    let message = place.import(&own).unwrap_err();
    insta::assert_snapshot!(message, @"own has no file test.bin; cifar100 is made up of train.bin, test.bin");
    place.file("own/test.bin", &records(&[3]));
    assert_eq!(place.import(&own).unwrap().train, 2);
    assert_eq!(fs::read_dir(place.data().join("cifar-100-binary")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(&own).unwrap().count(), 3);
    let other = Place::new();
    assert_eq!(other.import(&place.data()).unwrap().test, 1);
}

#[test]
fn archives_write_nothing_but_the_set() {
    let place = Place::new();
    let (train, test) = (records(&[1]), records(&[2]));
    let evil = tar(&[
        ("../../outside.bin", b"x"),
        ("/etc/../train.bin", &train),
        ("../../data/test.bin", &test),
        ("..", b"x"),
        ("test.bin/", b""),
    ]);
    place.import(&place.file("evil", &evil)).unwrap();
    assert_eq!(place.found(), ["cifar-100-binary"]);
    assert_eq!(fs::read_dir(place.0.path()).unwrap().count(), 2);

    let place = Place::new();
    let mut links = tar::Builder::new(Vec::new());
    for (name, kind) in [("train.bin", tar::EntryType::Symlink), ("test.bin", tar::EntryType::Link)]
    {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        links.append_link(&mut header, name, "/etc/hostname").unwrap();
    }
    let message = place.import(&place.file("links", &links.into_inner().unwrap())).unwrap_err();
    assert!(message.starts_with("links has no file train.bin; "), "{message}");
    assert!(place.found().is_empty());
}

#[test]
fn what_is_no_set_is_refused_and_leaves_nothing() {
    let place = Place::new();
    let refusal = |bytes: &[u8]| {
        let message = place.import(&place.file("FILE", bytes)).unwrap_err();
        assert!(place.found().is_empty(), "{:?}", place.found());
        message
    };
    let whole = archive();
    insta::assert_snapshot!(refusal(b"hello"), @"FILE is neither a folder nor a .tar, .tar.gz or .tar.zst archive");
    insta::assert_snapshot!(refusal(&[7; 3000]), @"FILE is neither a folder nor a .tar, .tar.gz or .tar.zst archive");
    insta::assert_snapshot!(refusal(&gzip(b"hello")), @"FILE is neither a folder nor a .tar, .tar.gz or .tar.zst archive");
    insta::assert_snapshot!(refusal(b""), @"FILE has no file train.bin; cifar100 is made up of train.bin, test.bin");
    insta::assert_snapshot!(refusal(&whole[..5000]), @"FILE is damaged: cifar-100-binary/train.bin is cut off: 3464 of 9222 bytes");
    let packed = gzip(&whole);
    insta::assert_snapshot!(refusal(&packed[..packed.len() - 200]), @"FILE is damaged: incomplete deflate stream");
    let mut changed = packed;
    let at = changed.len() - 6;
    changed[at] ^= 1;
    insta::assert_snapshot!(refusal(&changed), @"FILE is damaged: corrupt gzip stream does not have a matching checksum");
    let train = ("train.bin", &records(&[1])[..]);
    insta::assert_snapshot!(refusal(&tar(&[train, ("old/train.bin", &[])])), @"FILE has two files train.bin, train.bin and old/train.bin; import a folder with the right one");
    insta::assert_snapshot!(refusal(&tar(&[train, ("test.bin", &records(&[100]))])), @"FILE does not hold cifar100: test.bin: record 0 (of 3074 bytes, from 0) has label 100; the labels there are 0 to 99");
    insta::assert_snapshot!(refusal(&tar(&[train, ("test.bin", &[])])), @"FILE does not hold cifar100: there are no test images");
    let missing = place.import(&place.0.path().join("missing")).unwrap_err();
    assert!(missing.starts_with("cannot read missing: "), "{missing}");
}

#[test]
fn a_set_that_is_there_is_not_touched() {
    let place = Place::new();
    let file = place.file("FILE", &archive());
    place.import(&file).unwrap();
    insta::assert_snapshot!(place.import(&file).unwrap_err(), @"cifar100 is already in data/cifar-100-binary; remove that folder to import it anew");
    let client = HttpClient::for_tests();
    let fetched = fetch(&cifar100(), &[], &place.data(), &client, &mut |_| ()).unwrap();
    assert!(fetched.already && fetched.train == 3);

    place.file("data/cifar-100-binary/test.bin", b"");
    let error = fetch(&cifar100(), &[], &place.data(), &client, &mut |_| ()).unwrap_err();
    insta::assert_snapshot!(place.short(&error), @"the cifar100 in data/cifar-100-binary cannot be used: data/cifar-100-binary: there are no test images; remove that folder first");
    fs::remove_file(place.data().join("cifar-100-binary/test.bin")).unwrap();
    let message = place.import(&file).unwrap_err();
    assert!(
        message.starts_with("the cifar100 in data/cifar-100-binary cannot be used: "),
        "{message}"
    );
    assert_eq!(place.found(), ["cifar-100-binary"]);
    // An empty folder is nobody's.
    fs::remove_file(place.data().join("cifar-100-binary/train.bin")).unwrap();
    place.import(&file).unwrap();
}

#[test]
fn what_an_interrupted_call_left_is_cleaned_and_other_calls_wait() {
    let place = Place::new();
    let file = place.file("FILE", &archive());
    place.file("data/.cifar100.incoming/set/train.bin", b"half");
    place.file("data/.cifar100.incoming/lock", b"");
    place.file("data/.cifar100.incoming/x.tar.gz.part", b"some");
    let lacking = place.file("LACKING", &tar(&[]));
    place.import(&lacking).unwrap_err();
    // A download is kept until the set is there.
    assert!(place.data().join(".cifar100.incoming/x.tar.gz.part").is_file());
    assert!(!place.data().join(".cifar100.incoming/set").exists());
    let lock = File::open(place.data().join(".cifar100.incoming/lock")).unwrap();
    lock.lock().unwrap();
    insta::assert_snapshot!(place.import(&file).unwrap_err(), @"another process fetches or imports cifar100 into data; wait for it");
    drop(lock);
    place.import(&file).unwrap();
    assert_eq!(place.found(), ["cifar-100-binary"]);
}

#[test]
fn an_archive_is_fetched_and_a_download_survives_an_interruption() {
    let place = Place::new();
    let bytes = gzip(&archive());
    let digest = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let (size, served) = (bytes.len() as u64, bytes.clone());
    let server = Server::start(move |request, before| {
        let answer = Answer::file(request, &served);
        match before {
            0 => answer.cut(100),
            1..=3 => Answer::new("503 Service Unavailable", b""),
            _ => answer,
        }
    });
    let source = RemoteFile { url: format!("{}/c.tar.gz", server.url()), size, md5: digest };
    let fetch = || {
        let sources = std::slice::from_ref(&source);
        fetch(&cifar100(), sources, &place.data(), &HttpClient::for_tests(), &mut |_| ())
    };
    let message = fetch().unwrap_err().to_string();
    assert!(message.contains(&format!("; 100 of {size} bytes are there")), "{message}");
    assert_eq!(place.found(), [".cifar100.incoming"]);
    let acquired = fetch().unwrap();
    assert_eq!((acquired.train, acquired.test, acquired.already), (3, 1, false));
    assert_eq!(server.asked().last().unwrap().from, Some(100));
    assert_eq!(place.found(), ["cifar-100-binary"]);
    assert!(fetch().unwrap().already);
}

#[test]
fn a_set_of_several_files_is_fetched() {
    let place = Place::new();
    let idx = |sizes: &[u32], values: &[u8]| {
        let magic = 0x0800 + sizes.len() as u32;
        let head = std::iter::once(magic).chain(sizes.iter().copied()).flat_map(u32::to_be_bytes);
        gzip(&head.chain(values.iter().copied()).collect::<Vec<u8>>())
    };
    let files = [
        ("train-images-idx3-ubyte.gz", idx(&[2, 1, 2], &[1, 2, 3, 4])),
        ("train-labels-idx1-ubyte.gz", idx(&[2], &[9, 0])),
        ("t10k-images-idx3-ubyte.gz", idx(&[1, 1, 2], &[5, 6])),
        ("t10k-labels-idx1-ubyte.gz", idx(&[1], &[3])),
    ];
    let served = files.clone();
    let server = Server::start(move |request, _| {
        let found = served.iter().find(|(name, _)| request.path == format!("/{name}"));
        Answer::file(request, &found.unwrap().1)
    });
    let sources = files.map(|(name, bytes)| RemoteFile {
        url: format!("{}/{name}", server.url()),
        size: bytes.len() as u64,
        md5: Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
    });
    let (set, data) = ("fashion-mnist".parse::<Official>().unwrap(), place.data());
    // Not by `fetch`, which finds the set where Debian installs it.
    let incoming = Incoming::open(&set, &data).unwrap();
    let acquired =
        download(&set, &sources, &data, &HttpClient::for_tests(), incoming, &mut |_| ()).unwrap();
    assert_eq!((acquired.train, acquired.test), (2, 1));
    assert_eq!(acquired.place, data.join("fashion-mnist"));
    assert_eq!(place.found(), ["fashion-mnist"]);
}

#[test]
fn a_folder_with_other_things_is_left_as_it_is() {
    let place = Place::new();
    let file = place.file("FILE", &archive());
    place.file("data/.cifar100.incoming/notes.txt", b"mine");
    let text = place.import(&file).unwrap_err();
    assert!(text.contains("holds other things than a set that is made ready"), "{text}");
    place.file("data/.cifar100.incoming/lock", b"mine");
    place.import(&file).unwrap_err();
    for name in ["notes.txt", "lock"] {
        let path = place.data().join(".cifar100.incoming").join(name);
        assert_eq!(fs::read(path).unwrap(), b"mine");
    }
}
