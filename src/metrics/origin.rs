//! The provenance of numbers: their source and how far to trust it.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Degrees of trust in a number, from the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trust {
    /// Measured on the real system.
    Measured,
    /// Computed by a model of the real system.
    Modelled,
    /// Predicted from other measurements.
    Predicted,
}

impl Trust {
    const ALL: [Self; 3] = [Self::Measured, Self::Modelled, Self::Predicted];

    /// The word that labels numbers in results.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Modelled => "modelled",
            Self::Predicted => "predicted",
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// The provenance of numbers: their source and how far to trust it.
///
/// The text, which is also the stored form, is the word of the trust followed by the source, such as
/// `modeled  latency and area: CHaiDNN model`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Origin {
    /// The trust in the numbers; `None` if the stored word is unknown, as from a newer program.
    pub trust: Option<Trust>,
    /// The numbers and their source, such as `latency and area: CHaiDNN model`.
    pub source: String,
}

impl Origin {
    /// Makes an origin from its trust and source.
    pub fn new(trust: Trust, source: impl Into<String>) -> Self {
        Self { trust: Some(trust), source: source.into() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.trust {
            Some(trust) => write!(f, "{trust:9} {}", self.source),
            None => f.write_str(&self.source),
        }
    }
}

impl FromStr for Origin {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let known = text.split_once(' ').and_then(|(word, source)| {
            let trust = Trust::ALL.into_iter().find(|trust| trust.word() == word)?;
            Some(Self::new(trust, source.trim_start()))
        });
        Ok(known.unwrap_or_else(|| Self { trust: None, source: text.to_owned() }))
    }
}

impl From<String> for Origin {
    fn from(text: String) -> Self {
        let Ok(origin) = text.parse();
        origin
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_written_as_their_texts_and_read_again() {
        let model = Origin::new(Trust::Modelled, "latency and area: CHaiDNN model");
        let guess = Origin::new(Trust::Predicted, "accuracy: predictor");
        let other = Origin { trust: None, source: "dreamt  of".to_owned() };
        for (origin, text) in [
            (model, "modelled  latency and area: CHaiDNN model"),
            (guess, "predicted accuracy: predictor"),
            (other, "dreamt  of"),
        ] {
            assert_eq!(serde_json::to_value(&origin).unwrap(), text);
            assert_eq!(serde_json::from_value::<Origin>(text.into()).unwrap(), origin);
        }
    }
}
