//! Errors of the store.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Errors of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store has no such run.
    #[error("{store} has no run `{name}`{}", suggest(nearest))]
    NoRun {
        /// The name that was asked for.
        name: String,
        /// The folder of the store.
        store: PathBuf,
        /// The runs with the most similar names.
        nearest: Vec<String>,
    },
    /// There is no store at the path.
    #[error("there is no store at {path}; `tandem run` makes one, `--store` names another")]
    NoStore {
        /// The path at which it was expected.
        path: PathBuf,
    },
    /// The path is a link to a place where nothing is.
    #[error(
        "{path} is a link to {target}, and there is nothing; make that folder, or name another \
         with `--store`"
    )]
    LeadsNowhere {
        /// The link.
        path: PathBuf,
        /// The target of the link.
        target: PathBuf,
    },
    /// The path is a link to a folder that is no store.
    #[error(
        "{path} is a link to {target}, which is no store; name a store, or a new or empty folder, \
         with `--store`"
    )]
    LeadsAstray {
        /// The link.
        path: PathBuf,
        /// The target of the link.
        target: PathBuf,
    },
    /// The path leads to a file instead of a folder.
    #[error("{path} is no folder; name a store, or a new or empty folder, with `--store`")]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder contains files that are not a store's.
    #[error("{path} holds other files than a store's; name a new or empty folder with `--store`")]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing in the folder can be recognized as a part of a store.
    #[error("nothing in {path} can be recognised as a part of a store")]
    NothingToSalvage {
        /// The folder.
        path: PathBuf,
    },
    /// An import or a salvage into the folder was interrupted.
    #[error(
        "an import or a salvage into the store at {path} was cut off; begin it again, or remove the \
         folder"
    )]
    Unfinished {
        /// The folder of the store.
        path: PathBuf,
    },
    /// Another process has the store open.
    #[error(
        "the store at {path} is in use by {holder}; wait for it to end, or use another store with \
         `--store`"
    )]
    Held {
        /// The folder of the store.
        path: PathBuf,
        /// A description of the process that has it open.
        holder: String,
    },
    /// The process that has the store open ended, or closed the connection, during a request.
    #[error("{holder}, which had the store at {path} open, went away when it was asked; try again")]
    Lost {
        /// The folder of the store.
        path: PathBuf,
        /// A description of that process.
        holder: String,
        /// The error of the connection.
        source: io::Error,
    },
    /// The process that has the store open does not answer a request.
    #[error("the store at {path} is open in {holder}, which was asked and {reason}")]
    Unanswered {
        /// The folder of the store.
        path: PathBuf,
        /// A description of that process.
        holder: String,
        /// The reason, as a predicate whose subject is the process.
        reason: String,
    },
    /// The store was written by a newer program.
    #[error(
        "the store at {path} has format {found}, and this program knows formats up to {known}; use \
         a newer tandem. Nothing was changed"
    )]
    Newer {
        /// The folder of the store.
        path: PathBuf,
        /// The format of the store.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },
    /// The contents of the store are damaged.
    #[error(
        "the store at {path} is damaged: {what}; `tandem store salvage {path} --to NEW` reads what \
         can be read into a new store, and `tandem store import` makes one of an archive"
    )]
    Damaged {
        /// The folder of the store.
        path: PathBuf,
        /// A description of the damage.
        what: String,
    },
    /// Trials were appended with wrong steps.
    #[error(
        "trial {given} was appended to run `{run}`, whose journal goes on with trial {expected}"
    )]
    JournalConflict {
        /// The run.
        run: String,
        /// The step of the trial.
        given: u64,
        /// The next step of the journal.
        expected: u64,
    },
    /// A number of a trial is infinite or NaN.
    #[error("trial {step} of run `{run}` has {what}, which is not a finite number")]
    NotFinite {
        /// The run.
        run: String,
        /// The step of the trial.
        step: u64,
        /// The number's name and value.
        what: String,
    },
    /// A value cannot be encoded.
    #[error("{what} cannot be stored: {reason}")]
    Encode {
        /// A description of the value.
        what: String,
        /// The encoder's error.
        reason: String,
    },
    /// The disk has too little free space for a write.
    #[error(
        "the disk of the store at {path} has {} MiB left, and the store keeps {} free so that it \
         is never cut off within a write; make room and resume",
        free >> 20,
        needed >> 20
    )]
    Full {
        /// The folder of the store.
        path: PathBuf,
        /// The bytes that are free.
        free: u64,
        /// The bytes that must be free.
        needed: u64,
    },
    /// The database does not complete a write.
    #[error(
        "the store at {path} has not finished a write for {seconds} s: its disk does not answer, or \
         failed within a write; see to the disk and resume. What was stored before is there"
    )]
    Stuck {
        /// The folder of the store.
        path: PathBuf,
        /// The seconds for which the write has been pending.
        seconds: u64,
    },
    /// The database panicked on unexpected contents.
    #[error(
        "the database of the store at {path} stopped ({reason}); resume, and if it stops again, \
         `tandem store verify` lists what is wrong, and `tandem store import` restores an export"
    )]
    Stopped {
        /// The folder of the store.
        path: PathBuf,
        /// The message of the panic.
        reason: String,
    },
    /// The store is not empty, but an import or a salvage needs an empty one.
    #[error(
        "the store at {path} has {what}, and what is imported or salvaged goes into an empty store; \
         name a new or empty folder"
    )]
    NotEmpty {
        /// The folder of the store.
        path: PathBuf,
        /// A description of something in the store.
        what: String,
    },
    /// The file to be imported is not an intact archive of a store.
    #[error(
        "{path} is not a whole archive of a store: {what}; take another copy of it. Nothing was \
         imported"
    )]
    Archive {
        /// The name of the archive for messages.
        path: PathBuf,
        /// A description of the flaw.
        what: String,
    },
    /// An archive was written by a newer program.
    #[error(
        "{path} is {what} of version {found}, and this program knows versions up to {known}; use a \
         newer tandem. Nothing was imported"
    )]
    NewerArchive {
        /// The name of the archive for messages.
        path: PathBuf,
        /// The part that is too new: the archive or the store within it.
        what: &'static str,
        /// The version of that part.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A file outside the store's database cannot be read or written.
    #[error("cannot read or write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// Reading or writing the store failed.
    #[error("cannot read or write the store at {path}; {}", way_out(source))]
    Io {
        /// The folder of the store.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// Returns the advice for an error of the system.
fn way_out(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room and resume",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "allow writing there, or use another store with `--store`"
        }
        ErrorKind::NotADirectory | ErrorKind::NotFound => "name another folder with `--store`",
        _ => "see to its disk and resume: what was stored before is there",
    }
}

fn suggest(nearest: &[String]) -> String {
    match nearest {
        [] => "; `tandem runs` lists them".to_owned(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}

pub(super) fn damaged(path: &Path, what: impl Into<String>) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), what: what.into() }
}
