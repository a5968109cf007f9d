//! Networks: graphs of layers with shapes (the crate `tandem_network`), and families of networks built from
//! the cells of a space.

mod family;
mod mobilenet;
mod nasbench101;
mod nasbench201;

pub use family::{Family, Nasbench101Family, Nasbench201Family};
pub use mobilenet::{MobilenetSettings, assemble_mobilenet, mobilenet};
pub use nasbench101::{Nasbench101Settings, assemble_nasbench101, nasbench101};
pub use nasbench201::{Nasbench201Settings, assemble_nasbench201, nasbench201};
pub use tandem_network::{
    Activation, ActivationOrder, Convolution, Layer, LayerId, LayerSink, Network, NetworkBuilder,
    NetworkError, Operation, Shape, UnknownActivation, Window, layer_shapes,
};

#[cfg(test)]
mod tests;
