//! Local search.

use serde::{Deserialize, Serialize};

use super::about::About;
use super::batched::{EvaluatedPoint, Proposer, Strategy};
use super::controller::SearchError;
use super::neighbors::neighbors;
use super::settings::settings;
use super::state::StateFormat;

settings! {
    /// Hill climbing with restarts. The neighbors of a point, which differ from it in one choice, are tried
    /// in a random order. The best of a batch becomes the point if it is better. When no neighbor is better,
    /// the climb restarts from the best of a batch drawn uniformly (White, Nolen and Savani, UAI 2021, have
    /// it as a strong baseline of architecture search).
    ///
    /// No point is proposed twice. A feasible trial beats an infeasible one, which beats a failed one.
    pub struct Local {
        /// Points proposed before the first of them is judged; as many may be evaluated at once.
        batch: usize = 8, Whole(1, 4096), "the points at once";
    }
}

/// The state of a climb.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Climb {
    /// The best point of this climb; `None` at its start.
    top: Option<EvaluatedPoint>,
    /// The neighbors that are left to try, the next one last.
    left: Vec<Vec<u16>>,
    /// True if `left` has the neighbors of `top`.
    listed: bool,
}

impl Strategy for Local {
    type State = Climb;

    const ABOUT: About = About {
        name: "local",
        title: "Hill climbing",
        doc: "Hill climbing over all points one choice away, with restarts. It follows the phase's reward.",
        example: "phase(\"joint\", #{ steps: 200, controller: local() });",
        settings_example: "let controller = local(#{ batch: 1 });",
    };

    const FORMAT: StateFormat = StateFormat { name: Self::ABOUT.name, kind: 4, version: 1 };

    fn batch(&self) -> usize {
        self.batch
    }

    fn propose(
        &self,
        state: &mut Climb,
        proposer: &mut Proposer<'_>,
    ) -> Result<Vec<Vec<u16>>, SearchError> {
        if let Some(top) = &state.top {
            if !state.listed {
                state.left = neighbors(proposer.space, &top.point, proposer.rng);
                state.listed = true;
            }
            let mut points = Vec::with_capacity(self.batch);
            while points.len() < self.batch
                && let Some(point) = state.left.pop()
            {
                if proposer.seen.insert((proposer.space.identity)(&point)) {
                    points.push(point);
                }
            }
            if !points.is_empty() {
                // A climb that ends fills its last batch with the first points of the next.
                while points.len() < self.batch {
                    points.push(proposer.uniform()?);
                }
                return Ok(points);
            }
            state.top = None;
        }
        (0..self.batch).map(|_| proposer.uniform()).collect()
    }

    fn update(&self, state: &mut Climb, results: Vec<EvaluatedPoint>) {
        for result in results {
            let better =
                state.top.as_ref().is_none_or(|top| result.told.compare(&top.told).is_gt());
            if better {
                state.top = Some(result);
                state.listed = false;
            }
        }
    }
}
