//! The folder of real data that tests and benchmarks read.

use std::path::PathBuf;

/// The folder of real data, or `None` where there is none.
///
/// It is named by `TANDEM_DATA` and is `../shared/data` beside the project by default.
///
/// # Panics
/// In continuous integration (`CI=true`) missing data is a failure, so that a check that needs it
/// never passes by being left out.
pub fn data_dir() -> Option<PathBuf> {
    let dir = std::env::var_os("TANDEM_DATA").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
        PathBuf::from,
    );
    if dir.is_dir() {
        return Some(dir);
    }
    assert!(
        std::env::var("CI").as_deref() != Ok("true"),
        "no test data at {}: set TANDEM_DATA",
        dir.display()
    );
    eprintln!("skipped: no test data at {}: set TANDEM_DATA", dir.display());
    None
}
