//! Networks as graphs of layers with shapes: the one form that training, accelerators and export read.

mod activation;
mod digest;
mod error;
mod export;
mod graph;
mod layer;
mod layer_sink;
mod shapes;

pub use activation::{Activation, ActivationOrder, UnknownActivation};
pub use error::NetworkError;
pub use graph::{Network, NetworkBuilder};
pub use layer::{Convolution, Layer, LayerId, Operation, Shape, Window};
pub use layer_sink::LayerSink;
pub use shapes::layer_shapes;
