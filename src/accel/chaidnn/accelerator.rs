//! CHaiDNN as one accelerator among others.

use super::area::Area;
use super::operation::Infeasible;
use super::{Configuration, Platform, Program};
use crate::accel::{Accelerator, Breakdown, LayerCost, PartCost};
use crate::metrics::Metrics;

/// The accelerator on a platform; networks are lowered to programs once.
#[derive(Clone, Copy, Debug)]
pub struct Chaidnn {
    /// The technology.
    pub platform: Platform,
}

impl Accelerator for Chaidnn {
    type Network = Program;
    type Configuration = Configuration;
    type Error = Infeasible;

    fn name(&self) -> &str {
        "chaidnn"
    }

    fn estimate(
        &self,
        network: &Program,
        configuration: &Configuration,
    ) -> Result<Metrics, Infeasible> {
        let estimate = network.estimate(configuration, &self.platform)?;
        Ok(Metrics::from([
            ("latency_ms".to_owned(), estimate.latency_ms),
            ("area_mm2".to_owned(), estimate.area.area_mm2),
        ]))
    }

    fn breakdown(
        &self,
        network: &Program,
        configuration: &Configuration,
    ) -> Result<Breakdown, Infeasible> {
        let rows = network.breakdown(configuration, &self.platform)?.into_iter();
        let layer = |row: super::Row| LayerCost {
            name: row.name,
            engine: Some(row.engine.to_string()),
            start_ms: Some(row.start_ms),
            bound: Some(row.bound.to_string()),
            metrics: Metrics::from([
                ("latency_ms".to_owned(), row.end_ms - row.start_ms),
                ("cycles".to_owned(), row.cycles),
            ]),
        };
        let part = |part: super::AreaPart| {
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
