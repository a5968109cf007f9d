//! Messages about archives.

use std::path::Path;

use serde_json::{Value, json};
use tandem::report::counted;
use tandem::store::Totals;

use crate::cli::common::output::names;

/// The file name that stands for standard input or output.
const STANDARD: &str = "-";

/// Returns true if a file name stands for standard input or output.
pub fn is_standard(file: &Path) -> bool {
    file == Path::new(STANDARD)
}

/// The number of runs in an archive.
fn runs(totals: &Totals) -> u64 {
    totals.trees.get("runs").map_or(0, |tree| tree.records)
}

/// The content of an archive in words.
pub fn held(totals: &Totals) -> String {
    format!(
        "{}, {} in all, {}",
        counted(runs(totals), "run", "runs"),
        counted(totals.records(), "record", "records"),
        counted(totals.files, "file", "files")
    )
}

/// The content and the path of an archive as JSON.
pub fn counts(totals: &Totals, written: &Path) -> Value {
    json!({
        "written": names([written]),
        "runs": runs(totals),
        "records": totals.records(),
        "files": totals.files,
    })
}
