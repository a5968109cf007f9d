//! Networks of inverted residual blocks.
//!
//! Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks" (CVPR 2018), figure 4 and table
//! 2; channels are scaled by the width and rounded as in the reference code, to multiples of 8 that are at
//! least 90 % of the exact number.

use super::{Activation, LayerSink, Network, NetworkBuilder, NetworkError, Operation, Shape};
use crate::space::mobilenet::{Block, Mobilenet};

/// The macro structure around the stages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MobilenetSettings {
    /// The number of classes.
    pub classes: usize,
    /// Rows and columns of the image.
    pub image_size: usize,
    /// Channels of the image.
    pub image_channels: usize,
    /// Channels of the stem at width 1.
    pub stem_channels: usize,
    /// Stride of the stem.
    pub stem_stride: usize,
    /// Channels before the classifier, multiplied by a width above 1.
    pub last_channels: usize,
}

impl Default for MobilenetSettings {
    /// MobileNetV2 on ImageNet.
    fn default() -> Self {
        Self {
            classes: 1_000,
            image_size: 224,
            image_channels: 3,
            stem_channels: 32,
            stem_stride: 2,
            last_channels: 1_280,
        }
    }
}

/// Builds the network of a choice of blocks.
///
/// A 3x3 convolution; the stages; a 1x1 convolution; global average pooling; classifier with bias. Each
/// convolution is followed by batch normalization and, except for projections, by ReLU, where MobileNetV2 has
/// ReLU6.
///
/// # Errors
/// If a size is zero, or the image is too small for the kernels.
pub fn mobilenet(model: &Mobilenet, settings: MobilenetSettings) -> Result<Network, NetworkError> {
    let size = settings.image_size;
    let (mut net, image) = NetworkBuilder::new(Shape::new(settings.image_channels, size, size));
    assemble_mobilenet(&mut net, image, model, settings)?;
    Ok(net.finish())
}

/// Adds the layers of [`mobilenet`] to a sink that has the image already.
///
/// # Errors
/// As [`mobilenet`], or if the sink rejects a layer.
pub fn assemble_mobilenet<A: LayerSink>(
    net: &mut A,
    image: A::Id,
    model: &Mobilenet,
    settings: MobilenetSettings,
) -> Result<(), A::Error> {
    let MobilenetSettings { classes, stem_channels, stem_stride, last_channels, .. } = settings;
    let channels = |channels, width| round_channels(channels as f64 * width);
    let stem = channels(stem_channels, model.width);
    let mut x = net.conv_bn("stem", image, (stem, 3, stem_stride), Activation::Relu)?;
    for (stage, number) in model.stages.iter().zip(1..) {
        let output = channels(stage.channels, model.width);
        for (index, block) in stage.blocks.iter().enumerate() {
            let stride = if index == 0 { stage.stride } else { 1 };
            x = add_block(net, &format!("s{number}b{}", index + 1), x, *block, (output, stride))?;
        }
    }
    let last = channels(last_channels, model.width.max(1.0));
    x = net.conv_bn("last", x, (last, 1, 1), Activation::Relu)?;
    x = net.add("pool", Operation::GlobalAveragePool, &[x])?;
    net.add("classifier", Operation::Linear { features: classes }, &[x])?;
    Ok(())
}

/// Adds expansion, depthwise convolution and projection, with a shortcut where shapes are equal.
fn add_block<A: LayerSink>(
    net: &mut A,
    name: &str,
    input: A::Id,
    Block { kernel, expansion }: Block,
    (output, stride): (usize, usize),
) -> Result<A::Id, A::Error> {
    let mut x = input;
    let channels = net.shape(input).channels;
    if expansion > 1 {
        let expanded = (channels * expansion, 1, 1);
        x = net.conv_bn(format_args!("{name}.expand"), x, expanded, Activation::Relu)?;
    }
    x =
        net.depthwise_bn(format_args!("{name}.depthwise"), x, (kernel, stride), Activation::Relu)?;
    x = net.conv_bn(format_args!("{name}.project"), x, (output, 1, 1), Activation::None)?;
    if stride == 1 && channels == output {
        x = net.sum(format_args!("{name}.sum"), &[input, x])?;
    }
    Ok(x)
}

/// The nearest multiple of 8, or the next one if that is less than 90 % of `channels`.
fn round_channels(channels: f64) -> usize {
    // Channels are between a hundredth and some tens of millions.
    let nearest = ((channels + 4.0) / 8.0).floor().max(1.0) * 8.0;
    (if nearest < 0.9 * channels { nearest + 8.0 } else { nearest }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Layer;

    /// Values of torchvision 0.29.2's `mobilenet_v2(width_mult)` at 224 x 224 pixels, counted by hooks on its
    /// convolutions and its linear layer; the paper gives 97, 209, 300 and 582 million multiply-accumulates.
    #[test]
    fn mobilenet_v2_has_the_published_sizes() {
        for (width, parameters, macs) in [
            (0.5, 1_968_680, 97_131_840),
            (0.75, 2_636_424, 209_069_792),
            (1.0, 3_504_872, 300_774_272),
            (1.4, 6_108_776, 582_195_824),
        ] {
            let model = Mobilenet::v2(width);
            let net = mobilenet(&model, MobilenetSettings::default()).unwrap();
            assert_eq!((net.parameters(), net.macs()), (parameters, macs), "{width}");
        }
        let net = mobilenet(&Mobilenet::v2(1.0), MobilenetSettings::default()).unwrap();
        let sums = net.layers().iter().filter(|layer| layer.operation == Operation::Add).count();
        assert_eq!(sums, 10);
        let last = |layer: &&Layer| layer.name == "last";
        assert_eq!(net.layers().iter().find(last).unwrap().output, Shape::new(1_280, 7, 7));
        assert_eq!(net.output(), Shape::new(1_000, 1, 1));
    }

    #[test]
    fn channels_are_multiples_of_8() {
        let rounded = [0.3, 8.0, 11.9, 12.0, 33.6, 44.8, 134.4, 20.0].map(round_channels);
        // 12 and 20 are as near to both neighbors; 8 would be less than 90 % of 11.9.
        assert_eq!(rounded, [8, 8, 16, 16, 32, 48, 136, 24]);
    }

    #[test]
    fn blocks_have_shortcuts_where_shapes_are_the_same() {
        let mut model = Mobilenet::v2(1.0);
        model.stages.truncate(2);
        model.stages[1].blocks[1] = Block { kernel: 5, expansion: 3 };
        let settings = MobilenetSettings { image_size: 32, classes: 10, ..Default::default() };
        let net = mobilenet(&model, settings).unwrap();
        let text: Vec<String> =
            net.layers().iter().map(|l| format!("{} {}", l.name, l.output)).collect();
        assert_eq!(
            text,
            [
                "input 3x32x32",
                "stem 32x16x16",
                "s1b1.depthwise 32x16x16",
                "s1b1.project 16x16x16",
                "s2b1.expand 96x16x16",
                "s2b1.depthwise 96x8x8",
                "s2b1.project 24x8x8",
                "s2b2.expand 72x8x8",
                "s2b2.depthwise 72x8x8",
                "s2b2.project 24x8x8",
                "s2b2.sum 24x8x8",
                "last 1280x8x8",
                "pool 1280x1x1",
                "classifier 10x1x1",
            ]
        );
    }
}
