//! The provenance of a run's numbers.

use std::io::{self, Write};

use crate::cli::common::layout;
use tandem::metrics::Origin;
use tandem::session::Loaded;
use tandem::store::RunRecord;

/// Columns that the label before a source takes.
const LABEL: usize = 10;

/// Prints origins, one per line.
pub fn print_origins(out: &mut impl Write, origins: &[Origin]) -> io::Result<()> {
    if !origins.is_empty() {
        writeln!(out)?;
    }
    for origin in origins {
        writeln!(out, "{}", layout::result(&origin.to_string(), LABEL))?;
    }
    Ok(())
}

/// The origins in the record of a run, followed by those of the experiment as loaded now.
pub fn all_origins(loaded: &Loaded, record: &RunRecord) -> Vec<Origin> {
    let mut all = record.origins.clone();
    all.extend(origins(loaded).into_iter().filter(|origin| !record.origins.contains(origin)));
    all
}

/// The origins of the numbers that an experiment has used so far.
pub fn origins(loaded: &Loaded) -> Vec<Origin> {
    loaded.script.services().provenance().origins
}
