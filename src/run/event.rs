//! The events of a run, for observers.

use std::sync::Arc;

use super::progress::Progress;
use super::threshold::Threshold;
use crate::store::{Trial, TrialCost};

/// An event of a run.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// The run continues from stored trials.
    Resumed {
        /// The number of stored trials.
        trials: u64,
        /// The step of the checkpoint from which it continues.
        checkpoint: u64,
    },
    /// A phase starts.
    PhaseStarted {
        /// The phase's index.
        index: usize,
        /// The phase's name.
        name: &'a str,
        /// The controller's name.
        controller: &'a str,
        /// The number of trials after which it ends.
        steps: Option<u64>,
        /// The number of feasible trials after which it ends.
        valid: Option<u64>,
    },
    /// Trials were committed to the store.
    Committed {
        /// The trials, in order.
        trials: &'a [Arc<Trial>],
        /// The cost of each trial.
        efforts: &'a [TrialCost],
        /// The run so far, these trials included.
        progress: &'a Progress,
    },
    /// A threshold can no longer hold.
    ThresholdLost {
        /// The threshold.
        threshold: &'a Threshold,
        /// The value of its quantity.
        value: f64,
        /// The number of trials at which it was lost.
        step: u64,
    },
    /// A checkpoint reached the disk.
    Checkpoint {
        /// The number of trials it covers.
        step: u64,
    },
}

/// Receives the events of a run.
pub trait Observer {
    /// Handles an event.
    fn observe(&mut self, event: Event<'_>);
}

impl<F: FnMut(Event<'_>)> Observer for F {
    fn observe(&mut self, event: Event<'_>) {
        self(event);
    }
}
