//! The server of a store: the process that has it open answers requests.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::Duration;

use super::protocol::{
    MAX_REQUEST, PART_BYTES, Received, Refusal, Reply, Request, VERSION, Verdict, greeted, judge,
    receive, send,
};
use super::socket::{Socket, is_own};
use crate::store::{Store, StoreError};

/// The most clients at the same time.
pub(super) const MAX_CLIENTS: usize = 8;

/// The time limits for clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For the greeting, and for the rest of a request that has begun.
    pub(super) message: Duration,
    /// For the beginning of the next request.
    pub(super) idle: Duration,
    /// For each write of a reply.
    pub(super) write: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let [message, idle, write] = [5, 10, 10].map(Duration::from_secs);
        Self { message, idle, write }
    }
}

/// A server that answers at a socket until it is dropped.
pub(super) struct Server {
    /// The socket; `None` once it is closed.
    socket: Option<Socket>,
    listening: Option<JoinHandle<()>>,
    shared: Arc<Shared>,
}

struct Shared {
    store: Weak<Store>,
    patience: Patience,
    stopping: AtomicBool,
    clients: Mutex<Vec<(UnixStream, JoinHandle<()>)>>,
}

impl Server {
    /// Starts to answer requests about a store, in a thread of its own.
    pub(super) fn start(store: &Arc<Store>, patience: Patience) -> io::Result<Self> {
        let socket = Socket::bind(store.path())?;
        let listener = socket.listener.try_clone()?;
        let shared = Arc::new(Shared {
            store: Arc::downgrade(store),
            patience,
            stopping: AtomicBool::new(false),
            clients: Mutex::default(),
        });
        let listen = {
            let shared = shared.clone();
            move || {
                loop {
                    let accepted = listener.accept();
                    if shared.stopping.load(Ordering::Acquire) {
                        break;
                    }
                    if let Err(error) = accepted.and_then(|(stream, _)| shared.take(stream)) {
                        tracing::debug!(%error, "cannot take another client");
                        // So that a process with too many files open does not spin.
                        sleep(Duration::from_millis(50));
                    }
                }
            }
        };
        let listening = Builder::new().name("serve".to_owned()).spawn(listen)?;
        Ok(Self { socket: Some(socket), listening: Some(listening), shared })
    }

    /// Returns the path of the socket.
    pub(super) fn path(&self) -> &Path {
        self.socket.as_ref().map_or(Path::new(""), |socket| &socket.path)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Whoever waits for a client gets one. If the file is gone nobody can, and the thread is left
        // to the end of the process.
        let woken = UnixStream::connect(self.path()).is_ok();
        if let Some(listening) = self.listening.take()
            && woken
        {
            let _ = listening.join();
        }
        self.socket = None;
        let clients = std::mem::take(&mut *self.shared.clients());
        for (stream, _) in &clients {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // So that nobody reads when the store is closed.
        for (_, answering) in clients {
            let _ = answering.join();
        }
    }
}

impl Shared {
    fn clients(&self) -> std::sync::MutexGuard<'_, Vec<(UnixStream, JoinHandle<()>)>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts to answer a client in a thread of its own, or turns it away if there are too many.
    fn take(self: &Arc<Self>, mut stream: UnixStream) -> io::Result<()> {
        if !is_own(&stream) {
            return Ok(());
        }
        stream.set_write_timeout(Some(self.patience.write))?;
        let mut clients = self.clients();
        clients.retain(|(_, answering)| !answering.is_finished());
        if clients.len() >= MAX_CLIENTS {
            return judge(&mut stream, Verdict::Busy);
        }
        let (shared, other) = (self.clone(), stream.try_clone()?);
        let answering = Builder::new().name("answer".to_owned()).spawn(move || {
            if let Err(error) = shared.answer(&mut stream) {
                tracing::debug!(%error, "a client is left");
            }
            let _ = stream.shutdown(Shutdown::Both);
        })?;
        clients.push((other, answering));
        Ok(())
    }

    fn answer(&self, stream: &mut UnixStream) -> io::Result<()> {
        let Patience { message, idle, .. } = self.patience;
        if greeted(stream, message)? != VERSION {
            return judge(stream, Verdict::OtherVersion);
        }
        judge(stream, Verdict::Welcome)?;
        loop {
            match receive(stream, MAX_REQUEST, idle, message)? {
                Received::Closed => return Ok(()),
                Received::Nonsense(what) => {
                    return send(stream, &Reply::Refused(Refusal::Other(what)));
                }
                Received::Message(request) => {
                    let Some(store) = self.store.upgrade() else { return Ok(()) };
                    let replies = reply(&store, request)
                        .unwrap_or_else(|error| vec![Reply::Refused(refusal(error))]);
                    drop(store);
                    for reply in replies {
                        send(stream, &reply)?;
                    }
                }
            }
        }
    }
}

fn reply(store: &Store, request: Request) -> Result<Vec<Reply>, StoreError> {
    let one = match request {
        Request::Holder => Reply::Bytes(Some(json(&store.holder())?)),
        Request::Runs => return list(store.runs()?.iter().map(json)),
        Request::Run(name) => Reply::Bytes(Some(json(&store.run(&name)?)?)),
        Request::Studies => return list(store.studies()?.iter().map(json)),
        Request::TrialCount(run) => Reply::Number(Some(store.trial_count(&run)?)),
        Request::Block(run, number) => Reply::Block(store.block(&run, number)?.map(Box::new)),
        Request::CheckpointStep(run) => {
            Reply::Number(store.latest_checkpoint(&run)?.map(|(step, _)| step))
        }
        Request::Source(digest) => Reply::Bytes(store.source(&digest)?.map(String::into_bytes)),
        Request::Training(key) => Reply::Bytes(store.training(&key)?),
        Request::TrainingKeys => {
            return list(store.training_keys()?.into_iter().map(|key| Ok(key.into_bytes())));
        }
    };
    Ok(vec![one])
}

fn json<T: serde::Serialize>(record: &T) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec(record).map_err(|error| StoreError::Encode {
        what: "a record".to_owned(),
        reason: error.to_string(),
    })
}

/// Splits a list into replies of about [`PART_BYTES`] bytes each.
fn list(
    items: impl Iterator<Item = Result<Vec<u8>, StoreError>>,
) -> Result<Vec<Reply>, StoreError> {
    let mut replies = Vec::new();
    let mut part: Vec<Vec<u8>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let item = item?;
        bytes += item.len();
        part.push(item);
        if bytes >= PART_BYTES {
            replies.push(Reply::Part(std::mem::take(&mut part)));
            bytes = 0;
        }
    }
    replies.push(Reply::Last(part));
    Ok(replies)
}

fn refusal(error: StoreError) -> Refusal {
    match error {
        StoreError::NoRun { name, nearest, .. } => Refusal::NoRun { name, nearest },
        StoreError::Damaged { what, .. } => Refusal::Damaged(what),
        StoreError::Io { source, .. } => Refusal::Io(source.to_string()),
        other => Refusal::Other(format!("cannot read it: {other}")),
    }
}
