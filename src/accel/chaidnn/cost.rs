//! The cycles of a work of any kind.

use super::convolution::ConvolutionEngine;
use super::operation::{Cycles, Engines, OperationKind, Work};
use super::{Configuration, Platform, convolution, elementwise, pooling};

impl Work {
    /// The cycles of the work on its engine.
    ///
    /// # Errors
    /// The reason if the configuration cannot run it.
    pub(super) fn cycles(
        &self,
        configuration: &Configuration,
        platform: &Platform,
    ) -> Result<Cycles, &'static str> {
        match self.kind {
            OperationKind::Convolution { groups } => {
                let engine = self.engine(Engines::of(configuration));
                let engine = ConvolutionEngine::new(configuration, engine);
                convolution::cycles(self, groups, configuration, &engine, platform)
            }
            OperationKind::MaxPool if configuration.pool_engine => {
                Ok(pooling::pool_engine_cycles(self, platform))
            }
            OperationKind::MaxPool | OperationKind::AveragePool => {
                Ok(pooling::convolution_engine_cycles(self, configuration, platform))
            }
            OperationKind::Add => Ok(elementwise::cycles(self, configuration, platform)),
        }
    }
}
