//! Networks: graphs of layers with shapes, the one form that training, accelerators and export
//! read.

mod graph;
mod layer;
mod nasbench101;
mod nasbench201;
mod view;

pub use graph::{Network, NetworkBuilder, NetworkError};
pub use layer::{Convolution, Layer, LayerId, Operation, Relu, Shape, Window};
pub use nasbench101::{Nasbench101Settings, nasbench101};
pub use nasbench201::{Nasbench201Settings, nasbench201};

#[cfg(test)]
mod tests;
