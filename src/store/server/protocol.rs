//! The protocol between the process that has a store open and its clients.
//!
//! Both sides begin with a greeting: eight magic bytes and the version of the protocol (4 bytes,
//! little-endian); the server adds its [`Verdict`] (1 byte). The greeting is the same in all versions. Then
//! the client sends requests, one at a time, and the server replies to each. A message is its length (4
//! bytes, little-endian) and its content in postcard's encoding. Records of runs, studies and holders are
//! JSON within it, as in the store.
//!
//! A change of [`Request`], of [`Reply`] or of a block's columns requires a new version.

use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::store::TrialBlock;

/// The magic bytes at the beginning of a greeting.
const MAGIC: [u8; 8] = *b"tandem\0s";
/// The version of the protocol.
pub(super) const VERSION: u32 = 1;

/// The longest request, in bytes. Its longest part is the name of a run.
pub(super) const MAX_REQUEST: usize = 64 << 10;
/// The longest reply, in bytes: as long as the longest block in a store.
pub(super) const MAX_REPLY: usize = TrialBlock::MAX_BYTES;
/// The size at which a list is split into another reply, in bytes.
pub(super) const PART_BYTES: usize = 256 << 10;

/// A server's answer to the greeting of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The server answers requests.
    Welcome,
    /// The client speaks another version; the server closes the connection.
    OtherVersion,
    /// The server has too many clients.
    Busy,
}

impl Verdict {
    const ALL: [Self; 3] = [Self::Welcome, Self::OtherVersion, Self::Busy];
}

/// Requests: the methods of [`Reader`](crate::store::Reader).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Request {
    /// The record of the process that has the store open.
    Holder,
    /// All runs.
    Runs,
    /// A run by its name.
    Run(String),
    /// All studies.
    Studies,
    /// The number of trials of a run.
    TrialCount(String),
    /// A block of a run, by its number.
    Block(String, u64),
    /// The number of trials that the last checkpoint of a run covers.
    CheckpointStep(String),
    /// The text of a script by its hash.
    Source(String),
    /// The record of a training run by its key.
    Training(String),
    /// The keys of all training runs.
    TrainingKeys,
}

/// Replies to requests.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Reply {
    /// A part of a list; another reply follows.
    Part(Vec<Vec<u8>>),
    /// The last part of a list.
    Last(Vec<Vec<u8>>),
    /// A record or a text; `None` if there is none.
    Bytes(Option<Vec<u8>>),
    /// A number; `None` if there is none.
    Number(Option<u64>),
    /// A block of trials; `None` if the run ends before it.
    Block(Option<Box<TrialBlock>>),
    /// An error.
    Refused(Refusal),
}

/// Errors in replies. The client adds the path of the store, which it may know by another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Refusal {
    /// There is no such run.
    NoRun {
        /// The name that was asked for.
        name: String,
        /// The runs with the most similar names.
        nearest: Vec<String>,
    },
    /// The contents of the store are damaged.
    Damaged(String),
    /// Reading failed.
    Io(String),
    /// Another error, as a predicate whose subject is the server.
    Other(String),
}

/// Sends a greeting to a server; returns the server's version and verdict.
pub(super) fn greet(
    stream: &mut UnixStream,
    version: u32,
    patience: Duration,
) -> io::Result<(u32, Verdict)> {
    stream.set_write_timeout(Some(patience))?;
    match stream.write_all(&greeting(version)) {
        // A server that turns a client away does not wait for its hello; the verdict is there all the same.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        said => said?,
    }
    let mut bytes = [0; 13];
    fill(stream, &mut bytes, Instant::now() + patience)?;
    let (greeting, verdict) = bytes.split_at(12);
    let verdict = Verdict::ALL.get(usize::from(verdict[0])).copied();
    Ok((understood(greeting)?, verdict.unwrap_or(Verdict::OtherVersion)))
}

/// Receives the greeting of a client; returns the client's version.
pub(super) fn greeted(stream: &mut UnixStream, patience: Duration) -> io::Result<u32> {
    let mut bytes = [0; 12];
    fill(stream, &mut bytes, Instant::now() + patience)?;
    understood(&bytes)
}

/// Answers the greeting of a client.
pub(super) fn judge(stream: &mut UnixStream, verdict: Verdict) -> io::Result<()> {
    let mut bytes = greeting(VERSION).to_vec();
    bytes.push(verdict as u8);
    stream.write_all(&bytes)
}

fn greeting(version: u32) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..].copy_from_slice(&version.to_le_bytes());
    bytes
}

fn understood(greeting: &[u8]) -> io::Result<u32> {
    match greeting.strip_prefix(&MAGIC).map(<[u8; 4]>::try_from) {
        Some(Ok(version)) => Ok(u32::from_le_bytes(version)),
        _ => Err(io::Error::new(ErrorKind::InvalidData, "the other end is not tandem")),
    }
}

/// Sends a request or a reply. The stream's timeout limits each write.
pub(super) fn send<T: Serialize>(stream: &mut UnixStream, message: &T) -> io::Result<()> {
    let mut bytes = postcard::to_extend(message, vec![0; 4])
        .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    let length = u32::try_from(bytes.len() - 4)
        .map_err(|error| io::Error::new(ErrorKind::InvalidInput, error))?;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    stream.write_all(&bytes)
}

/// The result of receiving a message.
#[derive(Debug)]
pub(super) enum Received<T> {
    /// A message.
    Message(T),
    /// The other end closed the connection between two messages.
    Closed,
    /// The other end violated the protocol; the text is a predicate whose subject is this process.
    Nonsense(String),
}

/// Receives a request or a reply of at most `most` bytes.
///
/// It has to begin within `idle`. The rest of its length and then its content each have to arrive within
/// `whole`.
pub(super) fn receive<T: DeserializeOwned>(
    stream: &mut UnixStream,
    most: usize,
    idle: Duration,
    whole: Duration,
) -> io::Result<Received<T>> {
    let mut length = [0; 4];
    match read(stream, &mut length, Instant::now() + idle)? {
        0 => return Ok(Received::Closed),
        got => fill(stream, &mut length[got..], Instant::now() + whole)?,
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > most {
        return Ok(Received::Nonsense(format!(
            "got {length} bytes at once, and {most} are the most"
        )));
    }
    let deadline = Instant::now() + whole;
    // Memory is taken for what has come, not for what is announced.
    let mut bytes = Vec::new();
    while bytes.len() < length {
        let start = bytes.len();
        bytes.resize(length.min(start + PART_BYTES), 0);
        fill(stream, &mut bytes[start..], deadline)?;
    }
    Ok(match postcard::take_from_bytes(&bytes) {
        Ok((message, [])) => Received::Message(message),
        Ok((_, rest)) => Received::Nonsense(format!("got {} bytes too many", rest.len())),
        Err(error) => Received::Nonsense(format!("got what it cannot read ({error})")),
    })
}

/// Fills a buffer, or fails at a deadline.
fn fill(stream: &mut UnixStream, mut rest: &mut [u8], deadline: Instant) -> io::Result<()> {
    while !rest.is_empty() {
        match read(stream, rest, deadline)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            got => rest = &mut rest[got..],
        }
    }
    Ok(())
}

/// Reads some bytes, or fails at a deadline; returns 0 at the end of the stream.
fn read(stream: &mut UnixStream, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Err(ErrorKind::TimedOut.into());
            }
            other => return other,
        }
    }
}
