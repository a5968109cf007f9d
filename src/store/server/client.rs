//! A client of the process that has a store open: a reader of the store by requests.

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::protocol::{
    MAX_REPLY, Received, Refusal, Reply, Request, VERSION, Verdict, greet, receive, send,
};
use crate::store::{LockOwner, Reader, RunRecord, StoreError, StudyRecord, TrialBlock};

/// The time that a server may take for its greeting.
const HELLO: Duration = Duration::from_secs(5);
/// The time that a server may take to begin a reply, and then to send the rest: it may wait for its disk.
const BEGIN: Duration = Duration::from_secs(30);
const WHOLE: Duration = Duration::from_secs(60);

/// The reasons that there is no connection.
#[derive(Debug)]
pub(super) enum Unconnected {
    /// No process answers at the socket.
    Nobody,
    /// The server has too many clients at the moment.
    Busy(StoreError),
    /// The server does not answer requests of this program.
    Refused(StoreError),
}

/// A connection to the process that has a store open.
pub(super) struct StoreClient {
    store: PathBuf,
    /// A description of the process, for messages.
    name: String,
    /// The connection; `None` once it has failed.
    stream: Mutex<Option<UnixStream>>,
}

impl StoreClient {
    /// Connects to the process that has a store open.
    pub(super) fn connect(store: &Path, holder: &LockOwner) -> Result<Self, Unconnected> {
        let name = holder.name();
        let unanswered = |reason: String| StoreError::Unanswered {
            path: store.to_owned(),
            holder: name.clone(),
            reason,
        };
        let socket = holder.socket.as_ref().ok_or(Unconnected::Nobody)?;
        let mut stream = UnixStream::connect(socket).map_err(|_| Unconnected::Nobody)?;
        match greet(&mut stream, VERSION, HELLO) {
            Ok((_, Verdict::Welcome)) => {}
            Ok((_, Verdict::Busy)) => {
                let reason = "has as many clients as it takes; try again".to_owned();
                return Err(Unconnected::Busy(unanswered(reason)));
            }
            Ok((version, Verdict::OtherVersion)) => {
                return Err(Unconnected::Refused(unanswered(format!(
                    "speaks version {version} of tandem's protocol, while this program speaks \
                     version {VERSION}; use the same tandem for both, or wait for it to end"
                ))));
            }
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                return Err(Unconnected::Refused(unanswered(
                    "does not answer; is it suspended?".to_owned(),
                )));
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => {
                return Err(Unconnected::Refused(unanswered(
                    "answers what no tandem does".to_owned(),
                )));
            }
            Err(_) => return Err(Unconnected::Nobody),
        }
        let stream = Mutex::new(Some(stream));
        Ok(Self { store: store.to_owned(), name, stream })
    }

    /// Sends a request and returns the replies to it: several for a list, otherwise one.
    fn replies(&self, request: &Request) -> Result<Vec<Reply>, StoreError> {
        let mut place = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        // It is put back if all goes well: what follows something unexpected is not to be trusted.
        let mut stream = place.take().ok_or_else(|| self.lost(ErrorKind::NotConnected.into()))?;
        send(&mut stream, request).map_err(|error| self.lost(error))?;
        let mut replies = Vec::new();
        loop {
            let reply = match receive(&mut stream, MAX_REPLY, BEGIN, WHOLE) {
                Ok(Received::Message(reply)) => reply,
                Ok(Received::Closed) => return Err(self.lost(ErrorKind::UnexpectedEof.into())),
                Ok(Received::Nonsense(what)) => {
                    return Err(self.unanswered(format!("answers wrongly: this process {what}")));
                }
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Err(self.unanswered("does not answer; is it suspended?"));
                }
                Err(error) => return Err(self.lost(error)),
            };
            match reply {
                Reply::Part(_) => replies.push(reply),
                Reply::Refused(refusal) => {
                    *place = Some(stream);
                    return Err(self.refused(refusal));
                }
                _ => {
                    *place = Some(stream);
                    replies.push(reply);
                    return Ok(replies);
                }
            }
        }
    }

    fn reply(&self, request: &Request) -> Result<Reply, StoreError> {
        self.replies(request)?.pop().ok_or_else(|| self.unexpected())
    }

    fn list(&self, request: &Request) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut items = Vec::new();
        for reply in self.replies(request)? {
            match reply {
                Reply::Part(part) | Reply::Last(part) => items.extend(part),
                _ => return Err(self.unexpected()),
            }
        }
        Ok(items)
    }

    fn bytes(&self, request: &Request) -> Result<Option<Vec<u8>>, StoreError> {
        match self.reply(request)? {
            Reply::Bytes(bytes) => Ok(bytes),
            _ => Err(self.unexpected()),
        }
    }

    fn number(&self, request: &Request) -> Result<Option<u64>, StoreError> {
        match self.reply(request)? {
            Reply::Number(number) => Ok(number),
            _ => Err(self.unexpected()),
        }
    }

    fn json<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, StoreError> {
        serde_json::from_slice(bytes).map_err(|error| {
            self.unanswered(format!("sends a record that cannot be read: {error}"))
        })
    }

    fn text(&self, bytes: Vec<u8>) -> Result<String, StoreError> {
        String::from_utf8(bytes).map_err(|_| self.unexpected())
    }

    fn lost(&self, source: io::Error) -> StoreError {
        StoreError::Lost { path: self.store.clone(), holder: self.name.clone(), source }
    }

    fn unanswered(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Unanswered {
            path: self.store.clone(),
            holder: self.name.clone(),
            reason: reason.into(),
        }
    }

    fn unexpected(&self) -> StoreError {
        self.unanswered("answers another question")
    }

    fn refused(&self, refusal: Refusal) -> StoreError {
        let path = self.store.clone();
        match refusal {
            Refusal::NoRun { name, nearest } => StoreError::NoRun { name, store: path, nearest },
            Refusal::Damaged(what) => StoreError::Damaged { path, what },
            Refusal::Io(reason) => StoreError::Io { path, source: io::Error::other(reason) },
            Refusal::Other(reason) => self.unanswered(reason),
        }
    }
}

impl Reader for StoreClient {
    fn path(&self) -> &Path {
        &self.store
    }

    fn holder(&self) -> Result<Option<LockOwner>, StoreError> {
        self.bytes(&Request::Holder)?.map(|bytes| self.json(&bytes)).transpose()
    }

    fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.list(&Request::Runs)?.iter().map(|bytes| self.json(bytes)).collect()
    }

    fn run(&self, name: &str) -> Result<RunRecord, StoreError> {
        let bytes = self.bytes(&Request::Run(name.to_owned()))?;
        self.json(&bytes.ok_or_else(|| self.unexpected())?)
    }

    fn studies(&self) -> Result<Vec<StudyRecord>, StoreError> {
        self.list(&Request::Studies)?.iter().map(|bytes| self.json(bytes)).collect()
    }

    fn trial_count(&self, run: &str) -> Result<u64, StoreError> {
        self.number(&Request::TrialCount(run.to_owned()))?.ok_or_else(|| self.unexpected())
    }

    fn block(&self, run: &str, number: u64) -> Result<Option<TrialBlock>, StoreError> {
        match self.reply(&Request::Block(run.to_owned(), number))? {
            Reply::Block(block) if block.as_ref().is_none_or(|s| s.is_sound()) => {
                Ok(block.map(|block| *block))
            }
            _ => Err(self.unexpected()),
        }
    }

    fn checkpoint_step(&self, run: &str) -> Result<Option<u64>, StoreError> {
        self.number(&Request::CheckpointStep(run.to_owned()))
    }

    fn source(&self, digest: &str) -> Result<Option<String>, StoreError> {
        let bytes = self.bytes(&Request::Source(digest.to_owned()))?;
        bytes.map(|bytes| self.text(bytes)).transpose()
    }

    fn training(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.bytes(&Request::Training(key.to_owned()))
    }

    fn training_keys(&self) -> Result<Vec<String>, StoreError> {
        self.list(&Request::TrainingKeys)?.into_iter().map(|key| self.text(key)).collect()
    }
}
