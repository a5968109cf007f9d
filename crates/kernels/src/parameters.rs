//! A network's parameters, which the executor reads and changes in place.

use candle_core::Var;
use tandem_network::{Layer, Network, Operation};

use crate::error::KernelError;

/// The number added to a variance before its square root is taken.
pub const EPSILON: f64 = 1e-5;

/// A network with its parameters: Candle variables of f32 on the CPU.
#[derive(Clone, Copy, Debug)]
pub struct Parameters<'a> {
    /// The network.
    pub network: &'a Network,
    /// The variables.
    pub variables: &'a [Var],
    /// The variables of each layer of the network.
    pub layers: &'a [LayerVariables],
}

/// The indices of a layer's variables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LayerVariables {
    /// The weights: `[outputs, inputs / groups, rows, columns]`, or `[outputs, inputs]` for a linear layer.
    pub weight: Option<usize>,
    /// The offsets of outputs: `[outputs]`.
    pub bias: Option<usize>,
    /// Batch normalization.
    pub norm: Option<NormVariables>,
}

/// The indices of a batch normalization's variables, each `[channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NormVariables {
    /// Scale.
    pub weight: usize,
    /// Offset.
    pub bias: usize,
    /// Running mean.
    pub mean: usize,
    /// Running variance.
    pub variance: usize,
}

impl Parameters<'_> {
    /// Checks that every layer has the variables that it needs, of the right sizes.
    ///
    /// # Errors
    /// [`KernelError::Network`] with the layer's name.
    pub(crate) fn check(&self) -> Result<(), KernelError> {
        let layers = self.network.layers();
        let all = layers.len() == self.layers.len();
        let unfit = layers.iter().zip(self.layers).find(|(layer, own)| !self.fit(layer, own));
        match unfit {
            None if all => Ok(()),
            None => Err(KernelError::Network("its layers and their parameters differ".into())),
            Some((layer, _)) => {
                let what = format!("layer `{}` has parameters of other sizes", layer.name);
                Err(KernelError::Network(what))
            }
        }
    }

    fn fit(&self, layer: &Layer, own: &LayerVariables) -> bool {
        let is = |variable: Option<usize>, wanted: Option<usize>| match (variable, wanted) {
            (None, None) => true,
            (Some(variable), Some(count)) => {
                self.variables.get(variable).is_some_and(|known| known.elem_count() == count)
            }
            _ => false,
        };
        let channels = layer.output.channels;
        let (weight, bias, norm) = match layer.operation {
            Operation::Convolution(c) => {
                let taps = c.kernel * c.kernel * (layer.input.channels / c.groups);
                (Some(taps * channels), c.bias.then_some(channels), c.batch_norm)
            }
            Operation::Linear { features } => {
                (Some(features * layer.input.values() as usize), Some(features), false)
            }
            Operation::BatchNormActivation(_) => (None, None, true),
            _ => (None, None, false),
        };
        let norms = own.norm.map(|own| [own.weight, own.bias, own.mean, own.variance]);
        is(own.weight, weight)
            && is(own.bias, bias)
            && norms.is_some() == norm
            && norms.into_iter().flatten().all(|variable| is(Some(variable), Some(channels)))
    }
}
