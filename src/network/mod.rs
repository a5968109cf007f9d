//! Networks: graphs of layers with shapes, the one form that training, accelerators and export
//! read.

mod assemble;
mod family;
mod graph;
mod layer;
mod mobilenet;
mod nasbench101;
mod nasbench201;
mod shapes;
mod view;

pub use assemble::Assemble;
pub use family::{Family, Nasbench101Family, Nasbench201Family};
pub use graph::{Network, NetworkBuilder, NetworkError};
pub use layer::{Convolution, Layer, LayerId, Operation, Relu, Shape, Window};
pub use mobilenet::{MobilenetSettings, assemble_mobilenet, mobilenet};
pub use nasbench101::{Nasbench101Settings, assemble_nasbench101, nasbench101};
pub use nasbench201::{Nasbench201Settings, assemble_nasbench201, nasbench201};
pub use shapes::layer_shapes;

#[cfg(test)]
mod tests;
