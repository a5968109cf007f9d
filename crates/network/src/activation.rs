//! Activations: functions applied to each value before or after a layer's arithmetic.

use std::fmt;
use std::str::FromStr;

/// A function of single values.
///
/// Every activation maps 0 to 0, on which [`crate::Network::pruned`] relies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Activation {
    /// The value as it is.
    None,
    /// max(0, x).
    Relu,
    /// min(max(0, x), 6) (Howard et al. 2017, MobileNets).
    Relu6,
    /// x relu6(x + 3) / 6 (Howard et al., ICCV 2019).
    HardSwish,
    /// x / (1 + exp(-x)) (Elfwing et al. 2018).
    Silu,
    /// x (1 + erf(x / sqrt 2)) / 2, exactly, not its approximation with tanh (Hendrycks and Gimpel 2016).
    Gelu,
}

impl Activation {
    /// All activations.
    pub const ALL: [Self; 6] =
        [Self::None, Self::Relu, Self::Relu6, Self::HardSwish, Self::Silu, Self::Gelu];

    /// Returns the name in scripts, labels and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Relu => "relu",
            Self::Relu6 => "relu6",
            Self::HardSwish => "hard_swish",
            Self::Silu => "silu",
            Self::Gelu => "gelu",
        }
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An error for a name that no activation has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no activation `{0}`; it is one of {names}", names = Activation::ALL.map(Activation::name).join(", "))]
pub struct UnknownActivation(pub String);

impl FromStr for Activation {
    type Err = UnknownActivation;

    fn from_str(name: &str) -> Result<Self, UnknownActivation> {
        let known = Self::ALL.into_iter().find(|known| known.name() == name);
        known.ok_or_else(|| UnknownActivation(name.to_owned()))
    }
}

/// The place of a convolution's activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ActivationOrder {
    /// On the input, before the convolution (NAS-Bench-201).
    Before,
    /// On the output, after the batch normalization (NASBench-101).
    After,
}

impl ActivationOrder {
    /// Returns the name in scripts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for activation in Activation::ALL {
            assert_eq!(activation.to_string().parse(), Ok(activation));
        }
        let names = Activation::ALL.map(Activation::name);
        assert_eq!(names, ["none", "relu", "relu6", "hard_swish", "silu", "gelu"]);
        let unknown = "swish".parse::<Activation>().unwrap_err().to_string();
        assert_eq!(
            unknown,
            format!("there is no activation `swish`; it is one of {}", names.join(", "))
        );
    }
}
