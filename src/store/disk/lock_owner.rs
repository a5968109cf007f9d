//! The process that has a store open: a file in the store's folder describes it, for messages and for
//! processes that want to ask it.
//!
//! The lock of the folder alone decides who may open the store; the file is only informative. One that a dead
//! process left behind is recognized and overwritten.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{env, fs};

use serde::{Deserialize, Serialize};

use crate::store::format::record::now_s;
use crate::util::atomic_file::Replacement;

/// The name of the file within the store's folder.
const FILE: &str = "holder";
/// The name under which the file is written before it is renamed.
const TEMPORARY: &str = "holder.new";
/// The version of the file's layout.
const FORMAT: u32 = 1;
/// The time between two heartbeats of a holder.
pub const HEARTBEAT: Duration = Duration::from_secs(2);
/// The most bytes that are read of a holder's file.
const MAX_BYTES: u64 = 64 << 10;
/// The most characters of a command that are kept.
const MAX_COMMAND: usize = 200;

/// The process that has a store open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOwner {
    /// The version of this record's layout.
    pub format: u32,
    /// The process ID.
    pub process: u32,
    /// The time at which the process started, in clock ticks since its machine booted (Linux only). It tells
    /// the process from a later one with the same ID.
    pub process_start: Option<u64>,
    /// The host name of its machine.
    pub host: String,
    /// Its command line without the program's name.
    pub command: String,
    /// The names of the runs that it is working on.
    pub runs: Vec<String>,
    /// The time at which it opened the store, in seconds since 1970.
    pub since_s: u64,
    /// The time of its last heartbeat, in seconds since 1970.
    pub heartbeat_s: u64,
    /// The path of the socket at which it answers, if it has one.
    pub socket: Option<PathBuf>,
}

impl LockOwner {
    pub(in crate::store) fn this_process() -> Self {
        let process = std::process::id();
        let words: Vec<String> =
            env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        let now = now_s();
        Self {
            format: FORMAT,
            process,
            process_start: started(process),
            host: host(),
            command: words.join(" ").chars().take(MAX_COMMAND).collect(),
            runs: Vec::new(),
            since_s: now,
            heartbeat_s: now,
            socket: None,
        }
    }

    /// Returns the living process that has a store open, according to the file in the store's folder.
    ///
    /// `None` if the file is missing or has another format, or if the process is dead.
    pub fn of(store: &Path) -> Option<Self> {
        Self::noted(store).filter(Self::is_alive)
    }

    /// Returns the process that a store's folder names as its holder, alive or dead.
    pub fn noted(store: &Path) -> Option<Self> {
        let mut text = Vec::new();
        let file = fs::File::open(store.join(FILE)).ok()?;
        file.take(MAX_BYTES).read_to_end(&mut text).ok()?;
        let holder: Self = serde_json::from_slice(&text).ok()?;
        (holder.format == FORMAT).then_some(holder)
    }

    /// Returns true if the process is alive. A process of another machine always counts as alive.
    pub fn is_alive(&self) -> bool {
        self.host != host() || is_alive(self.process, self.process_start)
    }

    /// Returns true if both records describe the same opening of the store.
    pub fn is_same(&self, other: &Self) -> bool {
        (self.process, self.process_start, &self.host, self.since_s)
            == (other.process, other.process_start, &other.host, other.since_s)
    }

    /// Returns a description for messages: the process ID, the host and the command.
    pub fn name(&self) -> String {
        format!("process {} on {} (`tandem {}`)", self.process, self.host, self.command)
    }

    /// Returns [`name`](Self::name) and the time for which the store has been open.
    pub fn describe(&self) -> String {
        format!("{} for {}", self.name(), span(now_s().saturating_sub(self.since_s)))
    }

    /// Returns the seconds since the last heartbeat.
    pub fn silent_s(&self) -> u64 {
        now_s().saturating_sub(self.heartbeat_s)
    }
}

/// Formats a time in seconds for messages, in its largest suitable unit.
fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// The file that names this process as the holder of a store; removed when this is dropped.
#[derive(Debug)]
pub(in crate::store) struct HeldLock {
    store: PathBuf,
    holder: Mutex<LockOwner>,
}

impl HeldLock {
    /// Writes the file. The caller has to hold the store's lock.
    pub(in crate::store) fn new(store: &Path) -> Self {
        let holding =
            Self { store: store.to_owned(), holder: Mutex::new(LockOwner::this_process()) };
        holding.write(&holding.holder());
        holding
    }

    pub(in crate::store) fn holder(&self) -> MutexGuard<'_, LockOwner> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the file. A failure is only logged: the file is not needed for the work on the store.
    pub(in crate::store) fn write(&self, holder: &LockOwner) {
        let write = || {
            let text = serde_json::to_string(holder).map_err(io::Error::other)?;
            // Whoever reads it finds the one before or this one, whole.
            let mut file = Replacement::in_own_folder(&self.store.join(FILE), TEMPORARY)?;
            file.write_all(format!("{text}\n").as_bytes())?;
            // After a loss of power no process is there that it could tell of.
            file.keep_unsynced()
        };
        if let Err(error) = write() {
            tracing::debug!(%error, "cannot note who holds the store");
        }
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.store.join(FILE));
    }
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    env::var("COMPUTERNAME").unwrap_or_else(|_| "this machine".to_owned())
}

/// Returns the start time of a process, in clock ticks since boot, and whether it is running; a zombie is
/// not. `None` if there is no such process.
#[cfg(target_os = "linux")]
fn status(process: u32) -> Option<(u64, bool)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the program's name in brackets, which may have anything in it. The third is
    // the state, the 22nd the start: proc_pid_stat(5).
    let (_, rest) = text.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace();
    let runs = !matches!(fields.next()?, "Z" | "X" | "x");
    Some((fields.nth(18)?.parse().ok()?, runs))
}

#[cfg(target_os = "linux")]
fn started(process: u32) -> Option<u64> {
    status(process).map(|(start, _)| start)
}

#[cfg(target_os = "linux")]
fn is_alive(process: u32, start: Option<u64>) -> bool {
    status(process).is_some_and(|(now, runs)| runs && start.is_none_or(|start| start == now))
}

#[cfg(not(target_os = "linux"))]
const fn started(_process: u32) -> Option<u64> {
    None
}

#[cfg(all(unix, not(target_os = "linux")))]
fn is_alive(process: u32, _start: Option<u64>) -> bool {
    let Some(process) = i32::try_from(process).ok().and_then(rustix::process::Pid::from_raw) else {
        return false;
    };
    rustix::process::test_kill_process(process) != Err(rustix::io::Errno::SRCH)
}

/// Returns true: without a way to find out, the lock alone decides.
#[cfg(not(unix))]
const fn is_alive(_process: u32, _start: Option<u64>) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use std::thread::sleep;

    use super::*;
    use crate::store::{OpenMode, Store};

    #[test]
    fn a_store_says_who_holds_it_while_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), OpenMode::ReadWrite).unwrap();
        let holder = LockOwner::of(dir.path()).unwrap();
        assert_eq!(holder.process, std::process::id());
        assert!(holder.is_same(&store.holder()) && holder.socket.is_none());
        assert!(holder.silent_s() < 60 && holder.describe().contains("`) for "));
        store.answer_at(Some("there".into()));
        assert_eq!(LockOwner::of(dir.path()).unwrap().socket, Some("there".into()));
        sleep(Duration::from_millis(1100));
        store.beat();
        assert!(LockOwner::of(dir.path()).unwrap().heartbeat_s > holder.heartbeat_s);
        drop(store);
        assert_eq!(LockOwner::noted(dir.path()), None);
    }

    #[test]
    fn the_dead_hold_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let write = |holder: &LockOwner| {
            fs::write(dir.path().join(FILE), serde_json::to_string(holder).unwrap()).unwrap();
        };
        let alive = LockOwner::this_process();
        write(&alive);
        assert_eq!(LockOwner::of(dir.path()), Some(alive.clone()));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let dead = LockOwner { process: child.id(), process_start: None, ..alive.clone() };
        write(&dead);
        assert_eq!((LockOwner::of(dir.path()), LockOwner::noted(dir.path())), (None, Some(dead)));
        if let Some(start) = alive.process_start {
            write(&LockOwner { process_start: Some(start - 1), ..alive.clone() });
            assert_eq!(LockOwner::of(dir.path()), None, "the number is another process's now");
        }
        write(&LockOwner { host: "elsewhere".to_owned(), process: child.id(), ..alive.clone() });
        assert!(LockOwner::of(dir.path()).is_some(), "nobody knows of another machine's processes");
        write(&LockOwner { format: FORMAT + 1, ..alive });
        assert_eq!(LockOwner::of(dir.path()), None);
        fs::write(dir.path().join(FILE), "process 12").unwrap();
        assert_eq!(LockOwner::of(dir.path()), None);
    }

    #[test]
    fn times_are_short() {
        let texts = [0, 119, 120, 7_199, 7_200, 172_800].map(span);
        assert_eq!(texts, ["0 s", "119 s", "2 min", "119 min", "2 h", "2 days"]);
    }
}
