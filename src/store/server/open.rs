//! Opening a store for reading, also while another process has it open.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::{
    LockOwner, OpenMode, Reader, RunRecord, Store, StoreError, StudyRecord, TrialBlock,
};

/// The time for which opening a store is retried while another process has it open and does not answer: that
/// process may just have begun, or be about to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// The most attempts at a request when the process that answers it goes away.
const ATTEMPTS: usize = 5;

/// Opens an existing store for reading: by requests to the process that has it open, or else in this process.
///
/// # Errors
/// There is no store, another process has it open and does not answer, or it cannot be opened.
pub fn open(path: &Path) -> Result<Arc<dyn Reader>, StoreError> {
    Ok(match find(path)? {
        Found::Own(store) => store,
        Found::Other(client) => {
            Arc::new(Asking { path: path.to_owned(), source: Mutex::new(client) })
        }
    })
}

/// Connects to the process that has a store open; `None` if none answers or it has too many clients.
///
/// The reader fails with [`StoreError::Lost`] once that process goes away.
///
/// # Errors
/// A process has the store open, and does not answer or uses another version of the protocol.
pub fn ask_holder(path: &Path) -> Result<Option<Arc<dyn Reader>>, StoreError> {
    Ok(match ask(path)? {
        Asked::StoreClient(client) => Some(client),
        Asked::Busy(_) | Asked::Nobody => None,
    })
}

enum Found {
    /// A store that this process has open.
    Own(Arc<dyn Reader>),
    /// A connection to the process that has the store open.
    Other(Arc<dyn Reader>),
}

fn find(path: &Path) -> Result<Found, StoreError> {
    let started = Instant::now();
    loop {
        let busy = match ask(path)? {
            Asked::StoreClient(client) => return Ok(Found::Other(client)),
            Asked::Busy(error) => Some(error),
            Asked::Nobody => None,
        };
        match Store::open(path, OpenMode::ReadOnlyMustExist) {
            Ok(store) => return Ok(Found::Own(Arc::new(store))),
            Err(StoreError::Held { .. }) if started.elapsed() < PATIENCE => {}
            Err(error @ StoreError::Held { .. }) => return Err(busy.unwrap_or(error)),
            Err(error) => return Err(error),
        }
    }
}

#[cfg_attr(not(unix), expect(dead_code, reason = "there is nobody to ask"))]
enum Asked {
    StoreClient(Arc<dyn Reader>),
    Busy(StoreError),
    Nobody,
}

#[cfg(unix)]
fn ask(path: &Path) -> Result<Asked, StoreError> {
    use super::client::{StoreClient, Unconnected};

    let holder = LockOwner::of(path).filter(|_| Store::is_in_use(path));
    let Some(holder) = holder else { return Ok(Asked::Nobody) };
    match StoreClient::connect(path, &holder) {
        Ok(client) => Ok(Asked::StoreClient(Arc::new(client))),
        Err(Unconnected::Nobody) => Ok(Asked::Nobody),
        Err(Unconnected::Busy(error)) => Ok(Asked::Busy(error)),
        Err(Unconnected::Refused(error)) => Err(error),
    }
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "as where there are sockets")]
fn ask(_path: &Path) -> Result<Asked, StoreError> {
    Ok(Asked::Nobody)
}

/// A reader of a store that another process has open.
///
/// If that process goes away, it asks the next process that has the store open, or opens the store itself.
/// Trials never change, so everything read before remains valid.
struct Asking {
    path: PathBuf,
    source: Mutex<Arc<dyn Reader>>,
}

impl Asking {
    fn with<T>(
        &self,
        question: impl Fn(&dyn Reader) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempts = 1;
        loop {
            match question(source.as_ref()) {
                Err(StoreError::Lost { .. }) if attempts < ATTEMPTS => {
                    let (Found::Own(found) | Found::Other(found)) = find(&self.path)?;
                    *source = found;
                }
                other => return other,
            }
            attempts += 1;
        }
    }
}

impl Reader for Asking {
    fn path(&self) -> &Path {
        &self.path
    }

    fn holder(&self) -> Result<Option<LockOwner>, StoreError> {
        self.with(|reader| reader.holder())
    }

    fn runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.with(|reader| reader.runs())
    }

    fn run(&self, name: &str) -> Result<RunRecord, StoreError> {
        self.with(|reader| reader.run(name))
    }

    fn studies(&self) -> Result<Vec<StudyRecord>, StoreError> {
        self.with(|reader| reader.studies())
    }

    fn trial_count(&self, run: &str) -> Result<u64, StoreError> {
        self.with(|reader| reader.trial_count(run))
    }

    fn block(&self, run: &str, number: u64) -> Result<Option<TrialBlock>, StoreError> {
        self.with(|reader| reader.block(run, number))
    }

    fn checkpoint_step(&self, run: &str) -> Result<Option<u64>, StoreError> {
        self.with(|reader| reader.checkpoint_step(run))
    }

    fn source(&self, digest: &str) -> Result<Option<String>, StoreError> {
        self.with(|reader| reader.source(digest))
    }

    fn training(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|reader| reader.training(key))
    }

    fn training_keys(&self) -> Result<Vec<String>, StoreError> {
        self.with(|reader| reader.training_keys())
    }
}
