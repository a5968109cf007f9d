//! The encoding of a controller's state: a byte for the kind, a byte for the version, then postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::controller::SearchError;

/// The kind and version of a saved state.
pub struct StateFormat {
    /// The controller's name, for messages.
    pub name: &'static str,
    /// The first byte: the kind of controller.
    pub kind: u8,
    /// The second byte: the version of the layout.
    pub version: u8,
}

impl StateFormat {
    /// Encodes a state.
    ///
    /// # Errors
    /// [`SearchError::State`] if it cannot be written.
    pub fn encode<T: Serialize>(&self, state: &T) -> Result<Vec<u8>, SearchError> {
        postcard::to_extend(state, vec![self.kind, self.version])
            .map_err(|error| SearchError::State(format!("it cannot be written: {error}")))
    }

    /// Decodes a state, which must take up all the bytes.
    ///
    /// # Errors
    /// [`SearchError::State`] if the bytes are damaged or hold a state of another kind or version.
    pub fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, SearchError> {
        let wrong = |text: String| Err(SearchError::State(text));
        let [kind, version, body @ ..] = bytes else {
            return wrong(format!("it has {} bytes, too few for any state", bytes.len()));
        };
        if *kind != self.kind {
            return wrong(format!("it is not the state of a `{}` controller", self.name));
        }
        if *version != self.version {
            return wrong(format!(
                "its format is version {version}, and this program reads version {}",
                self.version
            ));
        }
        match postcard::take_from_bytes(body) {
            Ok((state, [])) => Ok(state),
            Ok((_, rest)) => wrong(format!("it is damaged: {} bytes are left over", rest.len())),
            Err(error) => wrong(format!("it is damaged: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FORMAT: StateFormat = StateFormat { name: "random", kind: 7, version: 2 };

    fn message(bytes: &[u8]) -> String {
        FORMAT.decode::<(u32, String)>(bytes).unwrap_err().to_string()
    }

    #[test]
    fn a_state_comes_back_and_anything_else_is_refused() {
        let state = (300_u32, "text".to_owned());
        let bytes = FORMAT.encode(&state).unwrap();
        assert_eq!(FORMAT.decode::<(u32, String)>(&bytes).unwrap(), state);

        let patched = |at: usize, value: u8| {
            let mut bytes = bytes.clone();
            bytes[at] = value;
            bytes
        };
        assert!(message(&[]).contains("too few"));
        assert!(message(&patched(0, 8)).contains("not the state of a `random` controller"));
        assert!(message(&patched(1, 3)).contains("version 3, and this program reads version 2"));
        assert!(message(&bytes[..bytes.len() - 1]).contains("damaged"));
        assert!(message(&[&bytes[..], &[0]].concat()).contains("1 bytes are left over"));
    }
}
