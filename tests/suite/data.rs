//! Image sets: listed, imported, verified, and downloaded from a server on this machine.

use std::fs;
use std::path::Path;

use tandem::train::data::sets;

use crate::server::{Answer, Server};
use crate::support::{Place, Ran};

/// Returns CIFAR-10 records with the given labels.
fn records(labels: &[u8]) -> Vec<u8> {
    let record = |label: &u8| [vec![*label], (0..3072).map(|i| (i % 250) as u8).collect()].concat();
    labels.iter().flat_map(record).collect()
}

/// Writes a small CIFAR-10 as an archive in the published layout, and returns its path.
fn archive(place: &Place, test: &[u8]) -> String {
    let path = place.path().join("cifar.tar.gz");
    let file = fs::File::create(&path).unwrap();
    let packed = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let mut archive = tar::Builder::new(packed);
    let mut put = |name: &str, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        archive.append_data(&mut header, format!("cifar-10-batches-bin/{name}"), bytes).unwrap();
    };
    put("readme.html", b"<html>");
    for batch in 1..=5 {
        put(&format!("data_batch_{batch}.bin"), &records(&[batch, 2]));
    }
    put("test_batch.bin", &records(test));
    archive.into_inner().unwrap().finish().unwrap();
    path.display().to_string()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a command that must fail; returns its exit code and message, without the server's address and the
/// folder.
fn fails(place: &Place, server: Option<&Server>, arguments: &[&str]) -> (i32, String) {
    let Ran { code, err, .. } = place.run(arguments);
    assert_ne!(code, 0, "{arguments:?}");
    let err = err.replace(&format!("{}/", place.path().display()), "");
    (code, server.map_or(err.clone(), |server| err.replace(&server.url(), "SERVER")))
}

#[test]
fn a_set_is_imported_listed_and_verified() {
    let place = Place::new();
    let line = |command: &str, name: &str| {
        let out = place.ok(&["data", command, "--format", "csv"]);
        let line = out.lines().find(|line| line.starts_with(&format!("{name},")));
        line.map(str::to_owned)
    };
    let absent = "cifar10,,,,not there; `tandem data fetch cifar10` downloads it";
    assert_eq!(line("list", "cifar10").unwrap(), absent);
    assert_eq!(line("list", "cifar100-coarse").unwrap(), "cifar100-coarse,,,,not there");
    assert_eq!(line("list", "procedural").unwrap(), "procedural,,2000,500,in the program");
    assert_eq!(line("verify", "cifar10"), None);

    let file = archive(&place, &[0, 9, 5]);
    let ran = place.run(&["data", "import", "cifar10", &file]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let done = "in data/cifar-10-batches-bin: 10 training and 3 test images\n";
    assert_eq!(ran.err, format!("cifar10 is {done}"));
    assert_eq!(names(&place.path().join("data")), ["cifar-10-batches-bin"]);
    assert_eq!(names(&place.path().join("data/cifar-10-batches-bin")).len(), 6);
    assert_eq!(line("list", "cifar10").unwrap(), "cifar10,,10,3,data/cifar-10-batches-bin");
    assert_eq!(line("verify", "cifar10").unwrap(), "cifar10,,10,3,ok");

    let again = fails(&place, None, &["data", "import", "cifar10", &file]);
    let message = "error: cifar10 is already in data/cifar-10-batches-bin; remove that folder to \
                   import it anew\n";
    assert_eq!(again, (1, message.to_owned()));
    let ran = place.run(&["data", "fetch", "cifar10"]);
    assert_eq!((ran.code, ran.err), (0, format!("cifar10 is already {done}")));
}

#[test]
fn what_is_bad_is_found() {
    let place = Place::new();
    let file = archive(&place, &[1]);
    place.ok(&["data", "import", "cifar10", &file]);
    let path = place.path().join("data/cifar-10-batches-bin/data_batch_3.bin");
    fs::write(path, &records(&[1, 2])[..4000]).unwrap();
    place.write("data/nasbench101/nb101.bin", "no table");
    for arguments in [&["data", "verify", "--format", "jsonl"][..], &["data", "verify"]] {
        let ran = place.run(arguments);
        assert_eq!(ran.code, 1, "{}", ran.err);
        let cut = "data/cifar-10-batches-bin/data_batch_3.bin: record 1 is cut off: 927 of 3073";
        assert!(ran.out.contains(cut), "{}", ran.out);
        assert!(ran.out.contains("is not a whole NASBench-101 table"), "{}", ran.out);
    }
    let fetched = fails(&place, None, &["data", "fetch", "cifar10"]);
    let message = "error: the cifar10 in data/cifar-10-batches-bin cannot be used: \
                   data/cifar-10-batches-bin/data_batch_3.bin: record 1 is cut off: 927 of 3073 \
                   bytes; remove that folder first\n";
    assert_eq!(fetched, (1, message.to_owned()));

    let ran = place.run(&["data", "verify", "cifar100"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("`tandem data fetch cifar100` downloads it"), "{}", ran.out);
    assert_eq!(place.run(&["data", "verify", "nasbench101"]).code, 1);
    place.ok(&["data", "verify", "procedural"]);
    let unknown = fails(&place, None, &["data", "verify", "cifar"]);
    let named: String = sets(Path::new("nowhere")).iter().map(|set| format!("{set}, ")).collect();
    assert!(named.starts_with("cifar10, cifar100, cifar100-coarse, fashion-mnist, mnist, "));
    let message = format!(
        "error: there is no data set `cifar`; there are {named}and images/FOLDER\nhint: of the \
         benchmark tables, nasbench101 and hw_nas_bench can be verified\n"
    );
    assert_eq!(unknown, (2, message));
}

#[test]
fn files_that_are_not_the_set_leave_the_data_folder_empty() {
    let place = Place::new();
    let file = archive(&place, &[10]);
    let import = |set: &str, path: &str| fails(&place, None, &["data", "import", set, path]);
    let message = "error: cifar.tar.gz does not hold cifar10: test_batch.bin: record 0 (of 3073 \
                   bytes, from 0) has label 10; the labels there are 0 to 9\n";
    assert_eq!(import("cifar10", &file), (1, message.to_owned()));
    let message = "error: cifar.tar.gz has no file train.bin; cifar100 is made up of train.bin, \
                   test.bin\n";
    assert_eq!(import("cifar100", &file), (1, message.to_owned()));
    place.write("text", "no archive");
    let message = "error: text is neither a folder nor a .tar, .tar.gz or .tar.zst archive\n";
    assert_eq!(import("fashion-mnist", "text"), (1, message.to_owned()));
    assert!(names(&place.path().join("data")).is_empty());
}

#[test]
fn a_mirror_with_other_files_is_refused() {
    let place = Place::new();
    let server = Server::start(|request, _| match &*request.path {
        "/a/cifar-10-binary.tar.gz" => Answer::new("200 OK", b"sign in to this network"),
        _ => Answer::new("404 Not Found", b""),
    });
    let mirror = format!("{}/a/", server.url());
    let fetch = |set| fails(&place, Some(&server), &["data", "fetch", set, "--mirror", &mirror]);
    let hint = "hint: `--mirror URL` names another server, and `tandem data import` takes files \
                that you have\n";
    let message = "error: SERVER/a/cifar-10-binary.tar.gz is not the official file: it has 23 bytes \
                   and should have 170052171; it was not kept\n";
    assert_eq!(fetch("cifar10"), (1, format!("{message}{hint}")));
    let message = "error: cannot download SERVER/a/cifar-100-binary.tar.gz: the server answers 404 \
                   Not Found\n";
    assert_eq!(fetch("cifar100"), (1, format!("{message}{hint}")));
    assert_eq!(server.asked().len(), 2);
    let (code, err) = fails(&place, None, &["data", "fetch", "cifar10", "--mirror", "ftp://x"]);
    assert_eq!(code, 2);
    assert!(err.contains("a mirror's address begins with http:// or https://"), "{err}");
}

#[test]
fn a_file_of_the_right_size_and_other_bytes_is_removed() {
    if Path::new("/usr/share/datasets/fashion-mnist").is_dir() {
        eprintln!("skipped: fashion-mnist is installed on this machine");
        return;
    }
    let place = Place::new();
    let server = Server::start(|request, _| Answer::file(request, &[7; 5_148]));
    let arguments = ["data", "fetch", "fashion-mnist", "--mirror", &server.url()];
    let (code, err) = fails(&place, Some(&server), &arguments);
    assert_eq!(code, 1);
    let message = "error: SERVER/t10k-labels-idx1-ubyte.gz is not the official file: its MD5 is ";
    assert!(err.starts_with(message), "{err}");
    let rest = " and should be bb300cfdad3c16e7a12a480ee83cd310; what was downloaded is removed\n";
    assert!(err.contains(rest), "{err}");
    assert!(names(&place.path().join("data")).is_empty());
}

#[test]
fn a_broken_download_is_kept_until_the_set_is_there() {
    let place = Place::new();
    let server = Server::start(|_, before| match before {
        0 => {
            let headers = vec!["Content-Length: 170052171".to_owned()];
            Answer { headers, ..Answer::new("200 OK", &[7; 2_000]) }.cut(1_000)
        }
        _ => Answer::new("404 Not Found", b""),
    });
    for _ in 0..2 {
        fails(&place, None, &["data", "fetch", "cifar10", "--mirror", &server.url()]);
        let kept = place.path().join("data/.cifar10.incoming/cifar-10-binary.tar.gz.part");
        assert_eq!(fs::read(kept).unwrap(), [7; 1_000]);
    }
    let asked: Vec<_> = server.asked().iter().map(|request| request.from).collect();
    assert_eq!(asked, [None, Some(1_000), Some(1_000)]);
    place.ok(&["data", "import", "cifar10", &archive(&place, &[1])]);
    assert_eq!(names(&place.path().join("data")), ["cifar-10-batches-bin"]);
}
