//! How the store refuses.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// How the store refuses.
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
    /// There is no store.
    #[error("there is no store at {path}; `tandem run` makes one, `--store` names another")]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A link to where nothing is.
    #[error(
        "{path} is a link to {target}, and there is nothing; make that folder, or name another \
         with `--store`"
    )]
    LeadsNowhere {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A link to a folder that is no store.
    #[error(
        "{path} is a link to {target}, which is no store; name a store, or a new or empty folder, \
         with `--store`"
    )]
    LeadsAstray {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// The path is a file's.
    #[error("{path} is no folder; name a store, or a new or empty folder, with `--store`")]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The folder holds something else.
    #[error("{path} holds other files than a store's; name a new or empty folder with `--store`")]
    NotAStore {
        /// The folder.
        path: PathBuf,
    },
    /// Nothing in the folder can be recognised as a part of a store.
    #[error("nothing in {path} can be recognised as a part of a store")]
    NothingToSalvage {
        /// The folder.
        path: PathBuf,
    },
    /// An import did not come to its end.
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
        /// Who has it open.
        holder: String,
    },
    /// The process that has the store open was asked, and is gone.
    #[error("{holder}, which had the store at {path} open, went away when it was asked; try again")]
    Lost {
        /// The folder of the store.
        path: PathBuf,
        /// Who was asked.
        holder: String,
        /// How that showed.
        source: io::Error,
    },
    /// The process that has the store open was asked, and does not answer the question.
    #[error("the store at {path} is open in {holder}, which was asked and {reason}")]
    Unanswered {
        /// The folder of the store.
        path: PathBuf,
        /// Who was asked.
        holder: String,
        /// What it does instead, as what follows "it".
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
    /// What is in the store cannot be right.
    #[error(
        "the store at {path} is damaged: {what}; `tandem store salvage {path} --to NEW` reads what \
         can be read into a new store, and `tandem store import` makes one of an archive"
    )]
    Damaged {
        /// The folder of the store.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Trials were appended out of turn.
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
    /// A trial has a number that is infinite or not a number.
    #[error("trial {step} of run `{run}` has {what}, which is not a finite number")]
    NotFinite {
        /// The run.
        run: String,
        /// The step of the trial.
        step: u64,
        /// The number's name and value.
        what: String,
    },
    /// A value cannot be written down.
    #[error("{what} cannot be stored: {reason}")]
    Encode {
        /// The value.
        what: String,
        /// Why.
        reason: String,
    },
    /// The disk has too little room to go on.
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
        /// The bytes that have to be.
        needed: u64,
    },
    /// The database does not come to the end of a write.
    #[error(
        "the store at {path} has not finished a write for {seconds} s: its disk does not answer, or \
         failed within a write; see to the disk and resume. What was stored before is there"
    )]
    Stuck {
        /// The folder of the store.
        path: PathBuf,
        /// How long it was waited for.
        seconds: u64,
    },
    /// The database met what it does not expect.
    #[error(
        "the database of the store at {path} stopped ({reason}); resume, and if it stops again, \
         `tandem store verify` lists what is wrong, and `tandem store import` restores an export"
    )]
    Stopped {
        /// The folder of the store.
        path: PathBuf,
        /// What it met.
        reason: String,
    },
    /// A store is to be filled that is not empty.
    #[error(
        "the store at {path} has {what}, and what is imported or salvaged goes into an empty store; \
         name a new or empty folder"
    )]
    NotEmpty {
        /// The folder of the store.
        path: PathBuf,
        /// Something that it has.
        what: String,
    },
    /// What is to be imported is no whole archive of a store.
    #[error(
        "{path} is not a whole archive of a store: {what}; take another copy of it. Nothing was \
         imported"
    )]
    Archive {
        /// What messages call the archive.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// An archive was written by a newer program.
    #[error(
        "{path} is {what} of version {found}, and this program knows versions up to {known}; use a \
         newer tandem. Nothing was imported"
    )]
    NewerArchive {
        /// What messages call the archive.
        path: PathBuf,
        /// Whether the archive is too new, or the store within it.
        what: &'static str,
        /// The version there.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A file that is not the store's database cannot be used.
    #[error("cannot read or write {path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading or writing failed.
    #[error("cannot read or write the store at {path}; {}", way_out(source))]
    Io {
        /// The folder of the store.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What helps when the system refuses to read or write.
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
