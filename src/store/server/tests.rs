//! Tests of reading a store through the process that has it open, and of misbehaving clients.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::listener::{MAX_CLIENTS, Patience};
use super::protocol::{
    MAX_REPLY, MAX_REQUEST, PART_BYTES, Received, Refusal, Reply, Request, VERSION, Verdict, greet,
    receive, send,
};
use super::{Served, open};
use crate::store::{
    Entry, LockOwner, OpenMode, Outcome, RunRecord, Status, Store, StoreError, StudyRecord, Trial,
    TrialBlock,
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(150);

fn record(name: &str) -> RunRecord {
    RunRecord {
        settings: serde_json::json!({"args": {"x": 0.1, "text": "x".repeat(20_000)}}),
        seed: 1,
        steps: Some(10),
        objectives: vec!["accuracy:max".parse().unwrap()],
        status: Status::Running,
        program: "tandem".to_owned(),
        created_s: 1,
        updated_s: 1,
        ..RunRecord::new(name, &format!("{name}.rhai"))
    }
}

fn entry(step: u64) -> Entry {
    let metrics = BTreeMap::from([("accuracy".to_owned(), step as f64 / 7.0)]);
    let outcome = match step % 3 {
        0 => Outcome::Failed { metrics, reason: format!("step {step}") },
        _ => Outcome::Done { metrics, reward: -0.1, valid: true },
    };
    Trial { step, phase: 0, point: vec![1], text: BTreeMap::new(), outcome }.into()
}

/// Creates a store with some of everything in a folder.
fn filled(path: &Path) -> Store {
    let store = Store::open(path, OpenMode::ReadWrite).unwrap();
    for _ in 0..30 {
        store.create_run(record("run")).unwrap();
    }
    store.append("run-1", &(0..700).map(entry).collect::<Vec<_>>()).unwrap();
    store.save_checkpoint("run-1", 600, b"state").unwrap();
    store.put_source("fn space() {}").unwrap();
    store.put_training("one", b"1").unwrap();
    store.put_training("two", b"2").unwrap();
    let study = StudyRecord {
        name: "study".to_owned(),
        file: "study.yaml".to_owned(),
        source: String::new(),
        plan: serde_json::json!({"repeats": 3}),
        program: "tandem".to_owned(),
        forked_from: None,
        created_s: 1,
        number: 0,
    };
    store.create_study(study).unwrap();
    store
}

fn socket(path: &Path) -> PathBuf {
    LockOwner::of(path).unwrap().socket.unwrap()
}

fn connected(path: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket(path)).unwrap();
    assert_eq!(greet(&mut stream, VERSION, LONG).unwrap(), (VERSION, Verdict::Welcome));
    stream
}

fn received(stream: &mut UnixStream) -> std::io::Result<Received<Reply>> {
    receive(stream, MAX_REPLY, LONG, LONG)
}

#[test]
fn what_is_read_through_the_holder_is_what_it_has() {
    let dir = tempfile::tempdir().unwrap();
    let store = Served::new(filled(dir.path()));
    let reader = open(dir.path()).unwrap();
    assert_eq!(reader.path(), dir.path());
    let holder = reader.holder().unwrap().unwrap();
    assert_eq!(holder.process, std::process::id());
    assert_eq!(holder.runs.len(), 30);

    let runs = reader.runs().unwrap();
    assert_eq!(runs, store.runs().unwrap());
    assert!(serde_json::to_vec(&runs).unwrap().len() > 2 * PART_BYTES, "of several parts");
    let run = reader.run("run-1").unwrap();
    assert_eq!((run.status.clone(), run), (Status::Running, store.run("run-1").unwrap()));
    assert_eq!(reader.studies().unwrap(), store.studies().unwrap());
    assert_eq!(reader.trial_count("run-1").unwrap(), 700);
    assert_eq!(reader.trial_count("nothing").unwrap(), 0);
    let entries: Result<Vec<Entry>, _> = reader.entries("run-1").unwrap().collect();
    assert_eq!(entries.unwrap(), (0..700).map(entry).collect::<Vec<_>>());
    assert!(reader.block("run-1", 700 / TrialBlock::LEN + 1).unwrap().is_none());
    assert_eq!(reader.checkpoint_step("run-1").unwrap(), Some(600));
    assert_eq!(reader.checkpoint_step("run-2").unwrap(), None);
    let digest = blake3::hash(b"fn space() {}").to_hex();
    assert_eq!(reader.source(&digest).unwrap().as_deref(), Some("fn space() {}"));
    assert_eq!(reader.source("0").unwrap(), None);
    assert_eq!(reader.training("two").unwrap(), Some(b"2".to_vec()));
    assert_eq!(reader.training_keys().unwrap(), ["one", "two"]);
    let (here, there) = (store.run("rum-1"), reader.run("rum-1"));
    let (here, there) = (here.unwrap_err(), there.unwrap_err());
    assert!(matches!(&there, StoreError::NoRun { nearest, .. } if nearest.len() == 3));
    assert_eq!(here.to_string(), there.to_string());

    // What is appended meanwhile is seen.
    store.append("run-1", &[entry(700)]).unwrap();
    assert_eq!(reader.trial_count("run-1").unwrap(), 701);
    assert!(matches!(
        Store::open(dir.path(), OpenMode::ReadWrite),
        Err(StoreError::Held { holder, .. }) if holder.contains(", last heard of ")
    ));
}

#[test]
fn a_reader_outlives_the_holder() {
    let dir = tempfile::tempdir().unwrap();
    let store = Served::new(filled(dir.path()));
    let reader = open(dir.path()).unwrap();
    let before = reader.run("run-1").unwrap();
    let mut entries = reader.entries("run-1").unwrap();
    assert_eq!(entries.next().unwrap().unwrap(), entry(0));
    drop(store);
    assert!(!dir.path().join("serving").exists() && LockOwner::noted(dir.path()).is_none());
    let rest: Vec<Entry> = entries.map(Result::unwrap).collect();
    assert_eq!(rest, (1..700).map(entry).collect::<Vec<_>>());
    assert!(reader.holder().unwrap().is_none());
    // Nobody works on it.
    let run = reader.run("run-1").unwrap();
    assert_eq!(run, RunRecord { status: Status::Interrupted, ..before });
}

#[test]
fn what_a_dead_holder_left_behind_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(filled(dir.path()));
    let mut child = std::process::Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    std::fs::create_dir(dir.path().join("serving")).unwrap();
    let socket = dir.path().join("serving/socket");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let dead = serde_json::json!({
        "format": 1, "process": child.id(), "process_start": null, "host": "elsewhere",
        "command": "run x.rhai", "runs": ["run-1"], "since_s": 1, "heartbeat_s": 2,
        "socket": socket,
    });
    std::fs::write(dir.path().join("holder"), dead.to_string()).unwrap();
    // It is thought to live, as it is another machine's; nobody answers, and the lock is free.
    assert!(LockOwner::of(dir.path()).is_some());
    let reader = open(dir.path()).unwrap();
    assert!(reader.holder().unwrap().is_none());
    // Who reads changes nothing.
    assert_eq!(LockOwner::of(dir.path()).unwrap().process, child.id());
    drop(reader);
    let _store = Served::new(Store::open(dir.path(), OpenMode::ReadWrite).unwrap());
    connected(dir.path());
}

#[test]
fn what_makes_no_sense_is_refused_and_harms_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let _store = Served::new(filled(dir.path()));
    let other = |what: &str| Refusal::Other(what.to_owned());
    let refused = |stream: &mut UnixStream| match received(stream).unwrap() {
        Received::Message(Reply::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };

    let mut stream = connected(dir.path());
    let most = (MAX_REQUEST as u32 + 1).to_le_bytes();
    stream.write_all(&most).unwrap();
    assert_eq!(refused(&mut stream), other("got 65537 bytes at once, and 65536 are the most"));
    assert!(!matches!(received(&mut stream), Ok(Received::Message(_))), "it is left");

    let mut stream = connected(dir.path());
    send(&mut stream, &(Request::TrialCount("run-1".to_owned()), 1)).unwrap();
    assert_eq!(refused(&mut stream), other("got 1 bytes too many"));

    let mut stream = connected(dir.path());
    stream.write_all(&[1, 0, 0, 0, 99]).unwrap();
    assert!(matches!(refused(&mut stream), Refusal::Other(what) if what.contains("cannot read")));

    let mut stream = UnixStream::connect(socket(dir.path())).unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!(answer, b"");

    // One that goes away in the middle of a request, or before the reply.
    connected(dir.path()).write_all(&[200, 0]).unwrap();
    send(&mut connected(dir.path()), &Request::Runs).unwrap();

    let mut stream = UnixStream::connect(socket(dir.path())).unwrap();
    let answer = greet(&mut stream, VERSION + 1, LONG).unwrap();
    assert_eq!(answer, (VERSION, Verdict::OtherVersion));
    assert!(!matches!(received(&mut stream), Ok(Received::Message(_))));

    assert_eq!(open(dir.path()).unwrap().runs().unwrap().len(), 30);
}

#[test]
fn clients_that_stall_are_left() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Patience { message: SHORT, idle: LONG, write: SHORT };
    let store = Served::with_patience(filled(dir.path()), patience);
    let started = Instant::now();
    // One says nothing, one has begun with a request, one does not take its replies.
    let mut silent = UnixStream::connect(socket(dir.path())).unwrap();
    let mut slow = connected(dir.path());
    slow.write_all(&[9, 0]).unwrap();
    let mut full = connected(dir.path());
    full.set_write_timeout(Some(LONG)).unwrap();
    let ended = (0..1_000).find_map(|_| send(&mut full, &Request::Runs).err());
    assert_eq!(ended.map(|error| error.kind()), Some(ErrorKind::BrokenPipe));
    for stream in [&mut silent, &mut slow] {
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
    assert!(started.elapsed() < LONG);

    // As many as there may be do nothing; whoever comes then is told, until one of them goes.
    let mut idle: Vec<UnixStream> = (0..MAX_CLIENTS).map(|_| connected(dir.path())).collect();
    let mut one_more = UnixStream::connect(socket(dir.path())).unwrap();
    assert_eq!(greet(&mut one_more, VERSION, LONG).unwrap().1, Verdict::Busy);
    idle.pop();
    assert_eq!(open(dir.path()).unwrap().trial_count("run-1").unwrap(), 700);
    // Nobody who does nothing keeps the server from its end.
    drop(store);
    assert!(started.elapsed() < LONG);
    assert_eq!(idle[0].read(&mut [0]).unwrap(), 0);
}

#[test]
fn idle_clients_are_left_and_come_back_unnoticed() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Patience { message: LONG, idle: SHORT, write: LONG };
    let _store = Served::with_patience(filled(dir.path()), patience);
    let reader = open(dir.path()).unwrap();
    assert_eq!(connected(dir.path()).read(&mut [0]).unwrap(), 0);
    std::thread::sleep(2 * SHORT);
    assert_eq!(reader.trial_count("run-1").unwrap(), 700);
    assert!(reader.holder().unwrap().is_some());
}

#[test]
fn another_version_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = filled(dir.path());
    let path = dir.path().join("later");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    store.answer_at(Some(path));
    let later = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 12]).unwrap();
        stream.write_all(b"tandem\0s\x07\0\0\0\x01").unwrap();
    });
    let error = open(dir.path()).err().unwrap().to_string();
    later.join().unwrap();
    assert!(
        error.ends_with(
            "which was asked and speaks version 7 of tandem's protocol, while this program speaks \
             version 1; use the same tandem for both, or wait for it to end"
        ),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_bytes_are_a_message_or_nonsense(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut here, mut there) = UnixStream::pair().unwrap();
        there.write_all(&(bytes.len() as u32).to_le_bytes()).unwrap();
        there.write_all(&bytes).unwrap();
        drop(there);
        let reply: Received<Reply> = receive(&mut here, MAX_REPLY, LONG, LONG).unwrap();
        if let Received::Message(reply) = &reply {
            prop_assert!(postcard::to_stdvec(reply).unwrap().len() <= bytes.len());
        }
        let end: Received<Reply> = receive(&mut here, MAX_REPLY, LONG, LONG).unwrap();
        prop_assert!(matches!(end, Received::Closed));
    }
}
