//! The folder of data that tests and benchmarks read.

use std::path::PathBuf;

/// Returns the folder of data, or `None` if there is none.
///
/// `TANDEM_DATA` names it; the default is `../shared/data`, relative to the project.
///
/// # Panics
/// If there is no data in continuous integration (`CI=true`), so that a check that needs it is never skipped
/// there.
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
