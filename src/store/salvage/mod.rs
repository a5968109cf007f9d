//! Salvage: a new store of all that can be read of a damaged one.
//!
//! The pages that lead to others may be damaged, so none is followed. All files are read from end to end, and
//! the newest intact version of each record is copied.

mod carve;
mod finds;
mod outcome;
mod runs;

use std::path::{Path, PathBuf};
use std::{fs, io};

use self::finds::Finds;
pub use self::outcome::{Salvaged, SalvagedRun};
use super::archive::{claim, training_files};
use super::disk::acquire::lock_to_read;
use super::disk::free_space::check_room;
use super::disk::fsync::make_folder;
use super::disk::replace;
use super::disk::trees::Filling;
use super::error::StoreError;
use super::image::find_records;
use super::place::{self, Layout, PathKind, look};
use super::preflight::read_image;
use super::store::Store;
use crate::store::layout::{BLOBS, DATABASE, FORMAT, FORMAT_KEY, FREE_BYTES, META, TRAININGS};
use crate::util::atomic_file::create_like_folder;
use crate::util::checksum;

/// The files of a damaged store: its databases, in rising order of precedence, with their folders of long
/// values.
struct Sources {
    databases: Vec<(PathBuf, Vec<PathBuf>)>,
    /// The folders of checkpoints of training runs; the first that contains a file counts.
    trainings: Vec<PathBuf>,
}

impl Sources {
    fn of(path: &Path) -> Self {
        let torn = place::torn(path).into_iter().map(|torn| (torn, Vec::new()));
        let mut databases: Vec<_> = torn.collect();
        databases.push((path.join(DATABASE), vec![path.join(BLOBS)]));
        let mut trainings = vec![path.join(TRAININGS)];
        if let Some(ready) = replace::ready(path) {
            databases.push((ready.join(DATABASE), vec![ready.join(BLOBS)]));
            trainings.insert(0, ready.join(TRAININGS));
        }
        Self { databases, trainings }
    }
}

impl Store {
    /// Creates a new store of all that can be read of another one, which is not changed.
    ///
    /// Failed trials replace lost ones that others follow, so that the others keep their steps. A run that
    /// has lost its last trials ends before them.
    ///
    /// # Errors
    /// The damaged store is missing, in use, of a newer format or not recognizable; the folder of the new one
    /// is neither new nor empty; or the disk is full or fails. No new store is created then.
    pub fn salvage(from: &Path, to: &Path) -> Result<Salvaged, StoreError> {
        let (damage, layout) = match look(from) {
            Ok(PathKind::Store(layout)) => (None, Some(layout)),
            Ok(PathKind::Missing | PathKind::Empty | PathKind::Unmade) => {
                return Err(StoreError::NoStore { path: from.to_owned() });
            }
            Ok(PathKind::Unfinished) => {
                return Err(StoreError::Unfinished { path: from.to_owned() });
            }
            Err(StoreError::Damaged { what, .. }) => (Some(what), None),
            // It may be so damaged that nothing shows it to be a store but what is found in it.
            Err(StoreError::NotAStore { .. } | StoreError::LeadsAstray { .. }) => {
                (Some("nothing in it shows that it is a store".to_owned()), None)
            }
            Err(error) => return Err(error),
        };
        let sources = Sources::of(from);
        let database = match &layout {
            Some(layout) => layout.files.log.clone(),
            None => from.join(DATABASE),
        };
        let _lock = lock_to_read(from, &database)?;
        let damage = match (damage, &layout) {
            (None, Some(layout)) => damage_of(from, layout)?,
            (damage, _) => damage,
        };
        let finds = find(from, &sources)?;
        let mut salvaged = Salvaged { damage, ..Salvaged::default() };
        claim(to)?.fill(to, |synced| {
            let failed = |source| StoreError::Io { path: to.to_owned(), source };
            let staged = replace::stage(to).map_err(failed)?;
            let mut filling = Filling::new(to, &staged)?;
            let meta = filling.tree(META)?;
            filling.insert(&meta, FORMAT_KEY.as_bytes(), &FORMAT.to_be_bytes())?;
            runs::fill(&finds, &mut filling, &mut salvaged)?;
            fill_by_keys(&finds, &mut filling, &mut salvaged)?;
            filling.close(synced.unwrap_or(0) + 1)?;
            bring_trainings(&sources, to, &staged, &mut salvaged)
        })?;
        Ok(salvaged)
    }
}

/// Describes the damage of a store's database; `None` if it is intact.
fn damage_of(path: &Path, layout: &Layout) -> Result<Option<String>, StoreError> {
    let check = || -> Result<Option<String>, StoreError> {
        let Some((image, _)) = read_image(path, layout)? else {
            return Err(StoreError::NoStore { path: path.to_owned() });
        };
        image.check().map_err(|error| StoreError::of(path, error))?;
        Ok(image.hole().map(|hole| hole.flaw.to_string()))
    };
    match check() {
        Ok(hole) => Ok(hole),
        Err(StoreError::Damaged { what, .. }) => Ok(Some(what)),
        Err(StoreError::NotAStore { .. } | StoreError::LeadsAstray { .. }) => {
            Ok(Some("its database has no names of trees".to_owned()))
        }
        Err(error) => Err(error),
    }
}

fn find(path: &Path, sources: &Sources) -> Result<Finds, StoreError> {
    let mut finds = Finds::default();
    for (log, blobs) in &sources.databases {
        finds.next_database();
        find_records(log, blobs, &mut finds)
            .map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    }
    if let Some(found) = finds.newer {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: FORMAT });
    }
    finds.place_the_rest();
    if finds.is_nothing() {
        return Err(StoreError::NothingToSalvage { path: path.to_owned() });
    }
    Ok(finds)
}

/// Writes the studies, scripts, training runs and estimates.
fn fill_by_keys(
    finds: &Finds,
    filling: &mut Filling,
    salvaged: &mut Salvaged,
) -> Result<(), StoreError> {
    let studies = filling.tree(b"studies")?;
    for (name, record) in &finds.studies {
        let Some(version) = record.whole.as_ref().or(record.doubtful.as_ref()) else { continue };
        let bytes = serde_json::to_vec(&version.content).map_err(|error| StoreError::Encode {
            what: format!("study `{name}`"),
            reason: error.to_string(),
        })?;
        filling.insert(&studies, name.as_bytes(), &bytes)?;
        match &record.whole {
            Some(_) => salvaged.studies.push(name.clone()),
            None => salvaged.lost_studies.push(name.clone()),
        }
    }
    for run in &salvaged.runs {
        if let Some((study, _)) = run.name.split_once('/')
            && !finds.studies.contains_key(study)
            && salvaged.lost_studies.last().is_none_or(|last| last != study)
        {
            salvaged.lost_studies.push(study.to_owned());
        }
    }
    for (name, records, count) in [
        ("scripts", &finds.scripts, &mut salvaged.scripts),
        ("accuracies", &finds.trainings, &mut salvaged.trainings),
        ("estimates", &finds.estimates, &mut salvaged.estimates),
    ] {
        let tree = filling.tree(name.as_bytes())?;
        for (key, version) in records {
            filling.insert(&tree, key.as_bytes(), &version.content)?;
        }
        *count = records.len();
    }
    Ok(())
}

/// Copies the intact checkpoints of training runs.
fn bring_trainings(
    sources: &Sources,
    store: &Path,
    staged: &Path,
    salvaged: &mut Salvaged,
) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io { path: store.to_owned(), source };
    let folder = staged.join(TRAININGS);
    for from in &sources.trainings {
        let files = training_files(from)
            .map_err(|source| StoreError::File { path: from.clone(), source })?;
        for (name, path) in files {
            let into = folder.join(&name);
            if into.exists() {
                continue;
            }
            let bytes = fs::read(&path)
                .map_err(|source| StoreError::File { path: path.clone(), source })?;
            if checksum::body(&bytes).is_none() {
                salvaged.lost_files.push(path);
                continue;
            }
            check_room(store, FREE_BYTES.saturating_add(bytes.len() as u64))?;
            make_folder(&folder).map_err(failed)?;
            // In a folder that gets its place as a whole.
            let write = || io::Write::write_all(&mut create_like_folder(&into)?, &bytes);
            write().map_err(failed)?;
            salvaged.files += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
