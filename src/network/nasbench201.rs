//! The NAS-Bench-201 network of a cell.
//!
//! Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search"
//! (ICLR 2020), section 2.1 and figure 1.

use super::{
    Activation, ActivationOrder, Convolution, LayerSink, Network, NetworkBuilder, NetworkError,
    Operation, Shape, Window,
};
use crate::space::nasbench201::{Cell201, Op201};

/// The macro structure around a NAS-Bench-201 cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Nasbench201Settings {
    /// Channels of the stem and of the first stage; they double at each of the two reductions.
    pub stem_channels: usize,
    /// The number of cells in each of the three stages.
    pub cells: usize,
    /// The number of classes.
    pub classes: usize,
    /// Rows and columns of the image.
    pub image_size: usize,
    /// Channels of the image.
    pub image_channels: usize,
}

impl Nasbench201Settings {
    /// The shape of the image.
    pub const fn image(&self) -> Shape {
        Shape::new(self.image_channels, self.image_size, self.image_size)
    }
}

impl Default for Nasbench201Settings {
    /// The benchmark's network on CIFAR-10.
    fn default() -> Self {
        Self { stem_channels: 16, cells: 5, classes: 10, image_size: 32, image_channels: 3 }
    }
}

/// Builds the whole network, including operations on edges that lead nowhere.
///
/// A 3x3 convolution with batch normalization to `stem_channels`; three stages of `cells` cells with a
/// residual block of stride 2 and twice the channels between them; batch normalization, ReLU, global average
/// pooling, classifier with bias.
///
/// # Errors
/// If a size is zero, or the image is too small for two reductions.
pub fn nasbench201(cell: Cell201, settings: Nasbench201Settings) -> Result<Network, NetworkError> {
    let (mut net, image) = NetworkBuilder::new(settings.image());
    assemble_nasbench201(&mut net, image, cell, settings)?;
    Ok(net.finish())
}

/// Adds the layers of [`nasbench201`] to a sink that has the image already.
///
/// # Errors
/// As [`nasbench201`], or if the sink rejects a layer.
pub fn assemble_nasbench201<A: LayerSink>(
    net: &mut A,
    image: A::Id,
    cell: Cell201,
    settings: Nasbench201Settings,
) -> Result<(), A::Error> {
    let Nasbench201Settings { stem_channels, cells, classes, .. } = settings;
    let mut x = net.conv_bn("stem", image, (stem_channels, 3, 1), Activation::None)?;
    for stage in 0..3 {
        if stage > 0 {
            x = residual_block(net, &format!("reduce{stage}"), x, stem_channels << stage)?;
        }
        for index in 0..cells {
            x = add_cell(net, &format!("s{}c{}", stage + 1, index + 1), x, cell)?;
        }
    }
    x = net.add("last", Operation::BatchNormActivation(Activation::Relu), &[x])?;
    x = net.add("pool", Operation::GlobalAveragePool, &[x])?;
    net.add("classifier", Operation::Linear { features: classes }, &[x])?;
    Ok(())
}

fn add_cell<A: LayerSink>(
    net: &mut A,
    name: &str,
    input: A::Id,
    cell: Cell201,
) -> Result<A::Id, A::Error> {
    let channels = net.shape(input).channels;
    let mut nodes = vec![input];
    let mut operations = cell.operations().into_iter();
    for target in 1..4 {
        let mut incoming = Vec::with_capacity(target);
        for (source, operation) in (0..target).zip(operations.by_ref()) {
            let from = nodes[source];
            let edge = format_args!("{name}.{source}->{target}");
            incoming.push(match operation {
                Op201::None => net.add(edge, Operation::Zero, &[from])?,
                Op201::SkipConnect => from,
                Op201::Conv1x1 => {
                    net.preactivated_conv_bn(edge, from, (channels, 1, 1), Activation::Relu)?
                }
                Op201::Conv3x3 => {
                    net.preactivated_conv_bn(edge, from, (channels, 3, 1), Activation::Relu)?
                }
                Op201::AvgPool3x3 => {
                    let window = Window { kernel: 3, stride: 1, padding: 1, ceil: false };
                    net.add(edge, Operation::AveragePool(window), &[from])?
                }
            });
        }
        nodes.push(net.sum(format_args!("{name}.{target}"), &incoming)?);
    }
    Ok(nodes[3])
}

/// Adds two ReLU-3x3-BN, the first of stride 2; the shortcut is 2x2 average pooling and a plain 1x1
/// convolution.
fn residual_block<A: LayerSink>(
    net: &mut A,
    name: &str,
    input: A::Id,
    channels: usize,
) -> Result<A::Id, A::Error> {
    let a = net.preactivated_conv_bn(
        format_args!("{name}.a"),
        input,
        (channels, 3, 2),
        Activation::Relu,
    )?;
    let b =
        net.preactivated_conv_bn(format_args!("{name}.b"), a, (channels, 3, 1), Activation::Relu)?;
    let window = Window { kernel: 2, stride: 2, padding: 0, ceil: false };
    let pool = net.add(format_args!("{name}.pool"), Operation::AveragePool(window), &[input])?;
    let shortcut = Convolution {
        channels,
        kernel: 1,
        stride: 1,
        padding: 0,
        groups: 1,
        bias: false,
        batch_norm: false,
        activation: Activation::None,
        activation_order: ActivationOrder::After,
    };
    let shortcut =
        net.add(format_args!("{name}.shortcut"), Operation::Convolution(shortcut), &[pool])?;
    net.sum(name, &[b, shortcut])
}
