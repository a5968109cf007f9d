//! Messages about archives.

use std::path::Path;

use serde_json::{Value, json};
use tandem::report::counted;
use tandem::store::Totals;

use crate::cli::output::names;

/// The name that means standard input or output.
const STANDARD: &str = "-";

/// Tells whether a file is standard input or output.
pub fn is_standard(file: &Path) -> bool {
    file == Path::new(STANDARD)
}

/// Records of runs.
fn runs(totals: &Totals) -> u64 {
    totals.trees.get("runs").map_or(0, |tree| tree.records)
}

/// What an archive holds, in words.
pub fn held(totals: &Totals) -> String {
    format!(
        "{}, {} in all, {}",
        counted(runs(totals), "run", "runs"),
        counted(totals.records(), "record", "records"),
        counted(totals.files, "file", "files")
    )
}

/// What an archive holds and where that was written, for other programs.
pub fn counts(totals: &Totals, written: &Path) -> Value {
    json!({
        "written": names([written]),
        "runs": runs(totals),
        "records": totals.records(),
        "files": totals.files,
    })
}
