//! Networks as accelerators take them.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

use crate::network::Network;

/// A network to estimate, in one of the forms of [`NetworkForm`].
#[derive(Clone, Copy, Debug)]
pub enum Workload<'a> {
    /// The layers.
    Layers(&'a PreparedNetwork),
    /// The key of the network in a table of measurements, such as the text of its cell.
    Key(&'a str),
}

impl<'a> Workload<'a> {
    /// Returns the layers.
    ///
    /// # Errors
    /// If the network is a key.
    pub const fn layers(self) -> Result<&'a PreparedNetwork, WrongForm> {
        match self {
            Self::Layers(network) => Ok(network),
            Self::Key(_) => Err(WrongForm { expected: NetworkForm::Layers }),
        }
    }

    /// Returns the key of the network.
    ///
    /// # Errors
    /// If the network is given by its layers.
    pub const fn key(self) -> Result<&'a str, WrongForm> {
        match self {
            Self::Key(key) => Ok(key),
            Self::Layers(_) => Err(WrongForm { expected: NetworkForm::Key }),
        }
    }
}

/// The forms in which an accelerator may take networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkForm {
    /// [`Workload::Layers`].
    Layers,
    /// [`Workload::Key`].
    Key,
}

impl fmt::Display for NetworkForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layers => "the layers of a network",
            Self::Key => "the text of a network",
        })
    }
}

/// A network in a form that the accelerator does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the accelerator takes {expected}, and was given another form of it")]
pub struct WrongForm {
    /// The form that the accelerator takes.
    pub expected: NetworkForm,
}

/// A network with the values that accelerators derive from it, each computed once for all configurations.
pub struct PreparedNetwork {
    network: Network,
    derived: Slot,
}

/// A derived value and the link to the next.
///
/// A network has one for each accelerator family that uses it, so walking the chain is cheaper than a map and
/// needs no lock.
#[derive(Default)]
struct Slot {
    value: OnceLock<Box<dyn Any + Send + Sync>>,
    next: OnceLock<Box<Self>>,
}

impl PreparedNetwork {
    /// Wraps a network; nothing is derived yet.
    pub fn new(network: Network) -> Self {
        Self { network, derived: Slot::default() }
    }

    /// The network itself.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// Returns the value of type `T` derived from the network, such as a program for an accelerator's
    /// engines.
    ///
    /// The first call for a type computes it with `make`; later calls return the same value.
    pub fn derived<T: Any + Send + Sync>(&self, make: impl Fn(&Network) -> T) -> &T {
        let mut slot = &self.derived;
        loop {
            let value = slot.value.get_or_init(|| Box::new(make(&self.network)));
            if let Some(value) = value.downcast_ref() {
                return value;
            }
            slot = slot.next.get_or_init(Box::default);
        }
    }
}

impl fmt::Debug for PreparedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedNetwork").field("network", &self.network).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::network::{Nasbench201Settings, nasbench201};
    use crate::space::nasbench201::Cell201;

    #[test]
    fn each_type_is_derived_once() {
        let cell = Cell201::all().next().unwrap();
        let network = nasbench201(cell, Nasbench201Settings::default()).unwrap();
        let prepared = PreparedNetwork::new(network);
        let made = AtomicU32::new(0);
        let layers = |network: &Network| {
            made.fetch_add(1, Ordering::Relaxed);
            network.layers().len()
        };
        let name = |network: &Network| {
            made.fetch_add(1, Ordering::Relaxed);
            network.layers()[0].name.clone()
        };
        let expected = (prepared.network().layers().len(), "input".to_owned());
        for _ in 0..3 {
            let found = (*prepared.derived(layers), prepared.derived(name).clone());
            assert_eq!(found, expected);
        }
        assert_eq!(made.into_inner(), 2);
    }
}
