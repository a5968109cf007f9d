//! Networks as accelerators take them.

use std::any::Any;
use std::fmt;
use std::sync::OnceLock;

use crate::network::Network;

/// A network whose cost is asked for.
#[derive(Clone, Copy, Debug)]
pub enum Workload<'a> {
    /// Its layers.
    Layers(&'a PreparedNetwork),
    /// The text that a table of measurements knows it by, such as that of its cell.
    Key(&'a str),
}

impl<'a> Workload<'a> {
    /// The layers.
    ///
    /// # Errors
    /// There are none: the network is a key.
    pub const fn layers(self) -> Result<&'a PreparedNetwork, WrongForm> {
        match self {
            Self::Layers(network) => Ok(network),
            Self::Key(_) => Err(WrongForm { expected: NetworkForm::Layers }),
        }
    }

    /// The text that stands for the network.
    ///
    /// # Errors
    /// There is none: the network has its layers.
    pub const fn key(self) -> Result<&'a str, WrongForm> {
        match self {
            Self::Key(key) => Ok(key),
            Self::Layers(_) => Err(WrongForm { expected: NetworkForm::Key }),
        }
    }
}

/// The forms of networks.
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

/// A network in a form that an accelerator does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the accelerator takes {expected}, and was given another form of it")]
pub struct WrongForm {
    /// What it takes.
    pub expected: NetworkForm,
}

/// A network, with what accelerators derive of it once for all configurations.
pub struct PreparedNetwork {
    network: Network,
    derived: Slot,
}

/// Something derived, and the place of the next.
///
/// Of a network there are as many as there are families that were asked about it, so that a search
/// along the chain costs less than a map would, and needs no lock.
#[derive(Default)]
struct Slot {
    value: OnceLock<Box<dyn Any + Send + Sync>>,
    next: OnceLock<Box<Self>>,
}

impl PreparedNetwork {
    /// Wraps a network of which nothing is derived yet.
    pub fn new(network: Network) -> Self {
        Self { network, derived: Slot::default() }
    }

    /// The network itself.
    pub const fn network(&self) -> &Network {
        &self.network
    }

    /// A family's own form of the network, such as a program for its engines; made by the first call
    /// of this type, and known by its type.
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
