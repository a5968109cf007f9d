//! Texts of scripts, by their hashes.

use super::error::StoreError;
use super::store::Store;

impl Store {
    /// Stores a text and returns its hash (BLAKE3, hexadecimal).
    ///
    /// # Errors
    /// The store fails.
    pub fn put_source(&self, text: &str) -> Result<String, StoreError> {
        let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
        self.scripts.insert(&digest, text.as_bytes()).map_err(|error| self.failed(error))?;
        Ok(digest)
    }

    /// Returns the text with a hash.
    ///
    /// # Errors
    /// The store fails, or the text does not match its hash.
    pub fn source(&self, digest: &str) -> Result<Option<String>, StoreError> {
        let Some(bytes) = self.scripts.get(digest).map_err(|error| self.failed(error))? else {
            return Ok(None);
        };
        if blake3::hash(&bytes).to_hex().as_str() != digest {
            return Err(self.damaged(format!("the script {digest} has another hash")));
        }
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }
}
