//! Free space on a store's disk.

use std::path::Path;

use crate::store::error::StoreError;

/// Returns [`StoreError::Full`] if fewer than `needed` bytes are free on a store's disk.
pub(in crate::store) fn check_room(path: &Path, needed: u64) -> Result<(), StoreError> {
    let free = fs4::available_space(path)
        .map_err(|source| StoreError::Io { path: path.to_owned(), source })?;
    if free < needed {
        return Err(StoreError::Full { path: path.to_owned(), free, needed });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::layout::FREE_BYTES;

    #[test]
    fn a_disk_that_is_nearly_full_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        check_room(dir.path(), 1).unwrap();
        let error = check_room(dir.path(), u64::MAX).unwrap_err();
        assert!(matches!(error, StoreError::Full { needed: u64::MAX, .. }), "{error}");
        let error = StoreError::Full { path: "x".into(), free: 3 << 20, needed: FREE_BYTES };
        assert_eq!(
            error.to_string(),
            "the disk of the store at x has 3 MiB left, and the store keeps 8 free so that it is \
             never cut off within a write; make room and resume"
        );
    }
}
