//! The estimate of a network on a configuration.

use super::area::Area;

/// Latency and area of a network on a configuration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChaidnnEstimate {
    /// Time from the start of a batch of two images to its end, in ms.
    pub latency_ms: f64,
    /// The accelerator's area.
    pub area: Area,
}

impl ChaidnnEstimate {
    /// Throughput: the two images of a batch over its latency.
    pub fn images_per_s(&self) -> f64 {
        2e3 / self.latency_ms
    }

    /// The paper's performance per area: 1 / (latency x area), in 1/s/cm2.
    ///
    /// The paper calls the unit img/s/cm2 and counts one image per latency.
    pub fn img_s_cm2(&self) -> f64 {
        1e5 / (self.latency_ms * self.area.area_mm2)
    }
}
