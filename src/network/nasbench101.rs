//! The NASBench-101 network of a cell.
//!
//! Ying et al., "NAS-Bench-101: Towards Reproducible Neural Architecture Search" (ICML 2019),
//! section 2 and its public definition of channels, projections and truncation.

use std::fmt;

use super::{
    Activation, LayerSink, Network, NetworkBuilder, NetworkError, Operation, Shape, Window,
};
use crate::space::nasbench101::{Cell101, Op101, vertex_channels};

/// The macro structure around a NASBench-101 cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nasbench101Settings {
    /// Channels of the stem and of the first stack; they double with each further stack.
    pub stem_channels: usize,
    /// The number of stacks, with 2x2 max pooling between them.
    pub stacks: usize,
    /// The number of cells in each stack.
    pub cells: usize,
    /// The number of classes.
    pub classes: usize,
    /// Rows and columns of the image.
    pub image_size: usize,
    /// Channels of the image.
    pub image_channels: usize,
}

impl Nasbench101Settings {
    /// The shape of the image.
    pub const fn image(&self) -> Shape {
        Shape::new(self.image_channels, self.image_size, self.image_size)
    }
}

impl Default for Nasbench101Settings {
    /// The benchmark's network on CIFAR-10.
    fn default() -> Self {
        Self {
            stem_channels: 128,
            stacks: 3,
            cells: 3,
            classes: 10,
            image_size: 32,
            image_channels: 3,
        }
    }
}

/// Builds the network of a pruned cell.
///
/// A 3x3 convolution to `stem_channels`; `stacks` stacks of `cells` cells, where each stack after the first
/// follows 2x2 max pooling and has twice the channels; global average pooling; classifier with bias. Each
/// convolution is conv-BN-ReLU. Channel counts depend on the order of the vertices: for the benchmark's own
/// parameter counts, pass the graph that the benchmark keeps.
///
/// # Errors
/// If a size is zero, the cell has too few channels, or the image is too small for the poolings.
pub fn nasbench101(cell: &Cell101, settings: Nasbench101Settings) -> Result<Network, NetworkError> {
    let (mut net, image) = NetworkBuilder::new(settings.image());
    assemble_nasbench101(&mut net, image, cell, settings)?;
    Ok(net.finish())
}

/// Adds the layers of [`nasbench101`] to a sink that has the image already.
///
/// # Errors
/// As [`nasbench101`], or if the sink rejects a layer.
pub fn assemble_nasbench101<A: LayerSink>(
    net: &mut A,
    image: A::Id,
    cell: &Cell101,
    settings: Nasbench101Settings,
) -> Result<(), A::Error> {
    let Nasbench101Settings { stem_channels, stacks, cells, classes, .. } = settings;
    let mut x = net.conv_bn("stem", image, (stem_channels, 3, 1), Activation::Relu)?;
    for stack in 0..stacks {
        if stack > 0 {
            let window = Window { kernel: 2, stride: 2, padding: 0, ceil: false };
            x = net.add(format_args!("reduce{stack}"), Operation::MaxPool(window), &[x])?;
        }
        for index in 0..cells {
            let name = Prefix { stack: stack + 1, cell: index + 1 };
            x = add_cell(net, name, x, cell, stem_channels << stack)?;
        }
    }
    x = net.add("pool", Operation::GlobalAveragePool, &[x])?;
    net.add("classifier", Operation::Linear { features: classes }, &[x])?;
    Ok(())
}

/// The prefix of the names of a cell's layers, such as `s1c2`.
#[derive(Clone, Copy)]
struct Prefix {
    stack: usize,
    cell: usize,
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s{}c{}", self.stack, self.cell)
    }
}

fn add_cell<A: LayerSink>(
    net: &mut A,
    name: Prefix,
    input: A::Id,
    cell: &Cell101,
    output_channels: usize,
) -> Result<A::Id, A::Error> {
    let channels = vertex_channels(cell, net.shape(input).channels, output_channels);
    let last = cell.vertices() - 1;
    let mut vertices = vec![input];
    for (vertex, &width) in channels.iter().enumerate().take(last).skip(1) {
        let mut incoming = Vec::new();
        for source in (0..vertex).filter(|&source| cell.has_edge(source, vertex)) {
            let edge = format_args!("{name}.{source}->{vertex}");
            let from = vertices[source];
            incoming.push(if source == 0 {
                net.conv_bn(edge, from, (width, 1, 1), Activation::Relu)?
            } else if net.shape(from).channels > width {
                net.add(edge, Operation::Truncate { channels: width }, &[from])?
            } else {
                from
            });
        }
        let sum = net.sum(format_args!("{name}.{vertex}+"), &incoming)?;
        let at = format_args!("{name}.{vertex}");
        vertices.push(match cell.operation(vertex) {
            Op101::Conv3x3 => net.conv_bn(at, sum, (width, 3, 1), Activation::Relu)?,
            Op101::Conv1x1 => net.conv_bn(at, sum, (width, 1, 1), Activation::Relu)?,
            Op101::MaxPool3x3 => {
                let window = Window { kernel: 3, stride: 1, padding: 1, ceil: false };
                net.add(at, Operation::MaxPool(window), &[sum])?
            }
        });
    }

    let feeding: Vec<A::Id> =
        (1..last).filter(|&source| cell.has_edge(source, last)).map(|v| vertices[v]).collect();
    let mut ends = match feeding.as_slice() {
        [] => Vec::new(),
        [one] => vec![*one],
        many => vec![net.add(format_args!("{name}.concat"), Operation::Concatenate, many)?],
    };
    if cell.has_edge(0, last) {
        let edge = format_args!("{name}.0->{last}");
        ends.push(net.conv_bn(edge, input, (output_channels, 1, 1), Activation::Relu)?);
    }
    net.sum(format_args!("{name}.out"), &ends)
}
