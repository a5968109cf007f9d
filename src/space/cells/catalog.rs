//! All graphs of cells up to isomorphism, the number of cells of each, and uniform draws.
//!
//! A graph has as many cells as there are labellings up to its symmetries. By Burnside's lemma that is the
//! mean, over the symmetries, of the number of labellings that each leaves unchanged: k^c for k operations and
//! c cycles of inner vertices. Drawing a symmetry by this weight, and an operation for each of its cycles,
//! draws a class of labellings uniformly.

use rand::{Rng, RngCore};

use super::cell::CellError;
use super::labellings::nth_labeling;
use crate::space::dag::{Graph, VertexOrder, edge_bit};

/// The maximum number of graphs to enumerate, which takes about a second.
const MAX_GRAPHS: u128 = 1 << 21;

/// Every graph of a cell up to isomorphism.
#[derive(Clone, Debug)]
pub(super) struct GraphCatalog {
    operations: u16,
    graphs: Vec<Known>,
}

/// A graph, numbered for the smallest adjacency bits.
#[derive(Clone, Copy, Debug)]
struct Known {
    adjacency: u32,
    vertices: usize,
    /// The number of cells of all graphs up to this one.
    cells: u128,
}

impl GraphCatalog {
    /// Enumerates the graphs with at most the given numbers of vertices and edges.
    ///
    /// # Errors
    /// Returns an error if there are more than [`MAX_GRAPHS`].
    pub(super) fn new(vertices: usize, edges: u32, operations: u16) -> Result<Self, CellError> {
        let graphs = (2..=vertices).map(|vertices| candidates(vertices, edges)).sum();
        if graphs > MAX_GRAPHS {
            return Err(CellError::TooMany { vertices, edges, graphs, most: MAX_GRAPHS });
        }
        let mut catalog = Self { operations, graphs: Vec::new() };
        for vertices in 2..=vertices {
            catalog.extend((0, 1), vertices, edges);
        }
        Ok(catalog)
    }

    /// Gives vertex `to` every set of sources, and continues with the next vertex.
    fn extend(&mut self, (adjacency, to): (u32, usize), vertices: usize, left: u32) {
        if to == vertices {
            self.keep(adjacency, vertices);
            return;
        }
        for sources in 1..1u32 << to {
            // Every later vertex reads one, too.
            let later = (vertices - 1 - to) as u32;
            if sources.count_ones() + later <= left {
                let bits = sources * edge_bit(0, to);
                self.extend((adjacency | bits, to + 1), vertices, left - sources.count_ones());
            }
        }
    }

    fn keep(&mut self, adjacency: u32, vertices: usize) {
        if !Graph::new(adjacency, vertices).is_full() {
            return;
        }
        let symmetries = Graph::symmetries(adjacency, vertices);
        if symmetries.is_empty() {
            return;
        }
        let fixed: u128 = symmetries.iter().map(|order| self.fixed(order, vertices)).sum();
        let before = self.count();
        let cells = before + fixed / symmetries.len() as u128;
        self.graphs.push(Known { adjacency, vertices, cells });
    }

    /// The number of labellings that a symmetry leaves unchanged.
    fn fixed(&self, order: &VertexOrder, vertices: usize) -> u128 {
        let cycles = cycles(order, vertices).into_iter().max().map_or(0, |last| last + 1);
        u128::from(self.operations).pow(cycles as u32)
    }

    /// The number of cells up to isomorphism.
    pub(super) fn count(&self) -> u128 {
        self.graphs.last().map_or(0, |last| last.cells)
    }

    /// The cell at an index: its adjacency bits and the operations of its inner vertices.
    pub(super) fn nth(&self, number: u128) -> Option<(u32, Vec<u16>)> {
        let graph = self.graphs.partition_point(|known| known.cells <= number);
        let Known { adjacency, vertices, .. } = *self.graphs.get(graph)?;
        let before = graph.checked_sub(1).map_or(0, |before| self.graphs[before].cells);
        let symmetries: Vec<Vec<usize>> = Graph::symmetries(adjacency, vertices)
            .iter()
            .map(|order| order[1..vertices - 1].iter().map(|vertex| vertex - 1).collect())
            .collect();
        let labels = nth_labeling(&symmetries, vertices - 2, self.operations, number - before)?;
        Some((adjacency, labels))
    }

    /// Draws a cell uniformly: its adjacency bits and the operations of its inner vertices.
    pub(super) fn draw(&self, rng: &mut dyn RngCore) -> (u32, Vec<u16>) {
        let cell = rng.random_range(0..self.count());
        let graph = self.graphs.partition_point(|known| known.cells <= cell);
        let Known { adjacency, vertices, .. } = self.graphs[graph];
        let symmetries = Graph::symmetries(adjacency, vertices);
        let all: u128 = symmetries.iter().map(|order| self.fixed(order, vertices)).sum();
        let mut rest = rng.random_range(0..all);
        let drawn = symmetries.iter().find(|order| {
            let fixed = self.fixed(order, vertices);
            let is = rest < fixed;
            rest = rest.saturating_sub(fixed);
            is
        });
        let cycles = drawn.map_or_else(Vec::new, |order| cycles(order, vertices));
        let labels: Vec<u16> =
            cycles.iter().map(|_| rng.random_range(0..self.operations)).collect();
        (adjacency, cycles.into_iter().map(|cycle| labels[cycle]).collect())
    }
}

/// For each inner vertex, the number of the cycle to which it belongs.
fn cycles(order: &VertexOrder, vertices: usize) -> Vec<usize> {
    let mut cycle_of = vec![usize::MAX; vertices];
    let mut count = 0;
    for start in 1..vertices - 1 {
        if cycle_of[start] != usize::MAX {
            continue;
        }
        let mut vertex = start;
        while cycle_of[vertex] == usize::MAX {
            cycle_of[vertex] = count;
            vertex = order[vertex];
        }
        count += 1;
    }
    cycle_of[1..vertices - 1].to_vec()
}

/// The number of numbered graphs with `vertices` vertices and at most `edges` edges in which every vertex but
/// the first has a source: the sum of the coefficients of ((1 + x) - 1) ((1 + x)^2 - 1) ... up to x^edges.
fn candidates(vertices: usize, edges: u32) -> u128 {
    let edges = edges as usize;
    let mut counts = vec![0u128; edges + 1];
    counts[0] = 1;
    for to in 1..vertices {
        let mut next = vec![0u128; edges + 1];
        for (have, &count) in counts.iter().enumerate() {
            let mut ways = 1u128;
            for sources in 1..=to.min(edges - have) {
                ways = ways * (to - sources + 1) as u128 / sources as u128;
                next[have + sources] += count * ways;
            }
        }
        counts = next;
    }
    counts.into_iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_those_that_are_looked_at() {
        assert_eq!(candidates(2, 1), 1);
        assert_eq!(candidates(3, 3), 3);
        assert_eq!(candidates(7, 21), 3 * 7 * 15 * 31 * 63);
        assert_eq!(candidates(7, 6), 720);
        assert_eq!(candidates(7, 5), 0);
    }

    /// The counts of NASBench-101: Ying et al. 2019 publish the last, our catalog of it has the others.
    #[test]
    fn counts_are_those_of_nasbench101() {
        for (vertices, count) in [(3, 7), (4, 91), (5, 2_532), (6, 64_542), (7, 423_624)] {
            assert_eq!(GraphCatalog::new(vertices, 9, 3).map(|all| all.count()), Ok(count));
        }
    }

    #[test]
    fn what_takes_too_long_is_refused() {
        assert!(GraphCatalog::new(7, 21, 5).is_ok());
        assert!(matches!(
            GraphCatalog::new(8, 28, 1),
            Err(CellError::TooMany { graphs: 78_755_065, .. })
        ));
        assert!(GraphCatalog::new(8, 10, 5).is_ok());
    }
}
