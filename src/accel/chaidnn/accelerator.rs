//! CHaiDNN as an [`Accelerator`].

use std::sync::{Arc, LazyLock};

use super::area::Area;
use super::operation::Infeasible;
use super::{
    AreaPart, ChaidnnSpace, Configuration, LowerError, OperationShare, Platform, Program, lower,
};
use crate::accel::{
    Accelerator, AcceleratorError, Breakdown, LayerCost, PartCost, PreparedNetwork, Workload,
};
use crate::metrics::Metrics;
use crate::space::Domain;

static SPACE: LazyLock<Arc<ChaidnnSpace>> = LazyLock::new(Arc::default);

/// The version of the model. Estimates of different versions must not be mixed.
pub const fn model_version() -> &'static str {
    "chaidnn-2"
}

/// The CHaiDNN accelerator on a platform.
#[derive(Clone, Copy, Debug)]
pub struct Chaidnn {
    /// Clock, precision and memory rates.
    pub platform: Platform,
}

impl Chaidnn {
    /// Returns the program of a network, which the first call lowers.
    ///
    /// # Errors
    /// As [`lower`].
    pub fn program(network: &PreparedNetwork) -> Result<&Program, LowerError> {
        network.derived(lower).as_ref().map_err(Clone::clone)
    }

    /// Breaks the cost of a program on a configuration down by layer and by part of the accelerator.
    ///
    /// # Errors
    /// As [`Program::estimate`].
    pub fn shares(
        &self,
        program: &Program,
        configuration: &Configuration,
    ) -> Result<Breakdown, Infeasible> {
        let rows = program.breakdown(configuration, &self.platform)?.into_iter();
        let layer = |row: OperationShare| LayerCost {
            name: row.name,
            engine: Some(row.engine.to_string()),
            start_ms: Some(row.start_ms),
            bound: Some(row.bound.to_string()),
            metrics: Metrics::from([
                ("latency_ms".to_owned(), row.end_ms - row.start_ms),
                ("cycles".to_owned(), row.cycles),
            ]),
        };
        let part = |part: AreaPart| {
            let blocks = part.blocks;
            let numbers = [
                ("area_mm2", part.area_mm2),
                ("lut", blocks.lut),
                ("bram36", blocks.bram36),
                ("dsp", blocks.dsp),
            ];
            let metrics = numbers.map(|(name, value)| (name.to_owned(), value)).to_vec();
            PartCost { name: part.name.to_owned(), metrics }
        };
        let fits = Area::of(configuration, &self.platform).fits;
        let note = format!(
            "it {} a ZU9EG (34,260 CLB, 912 BRAM36, 2,520 DSP)",
            if fits { "fits" } else { "does not fit" }
        );
        Ok(Breakdown {
            layers: rows.map(layer).collect(),
            parts: Area::parts(configuration, &self.platform).into_iter().map(part).collect(),
            note: Some(note),
        })
    }
}

/// Returns the program of a network and the configuration of some options.
fn pair<'n>(
    network: Workload<'n>,
    options: &[u16],
) -> Result<(&'n Program, Configuration), AcceleratorError> {
    let program = Chaidnn::program(network.layers()?).map_err(AcceleratorError::model)?;
    SPACE.check(options)?;
    Ok((program, SPACE.configuration(options)))
}

impl Accelerator for Chaidnn {
    fn id(&self) -> &str {
        "chaidnn"
    }

    fn version(&self) -> &str {
        model_version()
    }

    fn source(&self) -> String {
        "latency and area: CHaiDNN model".to_owned()
    }

    fn space(&self) -> Arc<dyn Domain> {
        SPACE.clone()
    }

    fn estimate(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Metrics, AcceleratorError> {
        let (program, configuration) = pair(network, configuration)?;
        let estimate =
            program.estimate(&configuration, &self.platform).map_err(AcceleratorError::model)?;
        Ok(Metrics::from([
            ("latency_ms".to_owned(), estimate.latency_ms),
            ("area_mm2".to_owned(), estimate.area.area_mm2),
        ]))
    }

    fn breakdown(
        &self,
        network: Workload<'_>,
        configuration: &[u16],
    ) -> Result<Breakdown, AcceleratorError> {
        let (program, configuration) = pair(network, configuration)?;
        self.shares(program, &configuration).map_err(AcceleratorError::model)
    }
}
