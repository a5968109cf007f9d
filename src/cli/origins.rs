//! Where the numbers of a run come from.

use std::io::{self, Write};

use super::layout;
use tandem::metrics::Origin;
use tandem::session::Loaded;
use tandem::store::RunRecord;

/// Columns of the label before what numbers come from.
const LABEL: usize = 10;

/// Prints where numbers come from.
pub fn print_origins(out: &mut impl Write, origins: &[Origin]) -> io::Result<()> {
    if !origins.is_empty() {
        writeln!(out)?;
    }
    for origin in origins {
        writeln!(out, "{}", layout::result(&origin.to_string(), LABEL))?;
    }
    Ok(())
}

/// Where the numbers of a run come from: when it was made, and now.
pub fn all_origins(loaded: &Loaded, record: &RunRecord) -> Vec<Origin> {
    let mut all = record.origins.clone();
    all.extend(origins(loaded).into_iter().filter(|origin| !record.origins.contains(origin)));
    all
}

/// Where the numbers of an experiment came from so far, and how far they can be trusted.
pub fn origins(loaded: &Loaded) -> Vec<Origin> {
    loaded.script.host().provenance().origins
}
