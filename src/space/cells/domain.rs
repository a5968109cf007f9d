//! Cells with custom operations as a part of a space.

use rand::RngCore;

use super::catalog::GraphCatalog;
use super::cell::{Cell, CellError, Operations};
use crate::space::dag::{MAX_VERTICES, graph_choices, graph_of, graph_options};
use crate::space::domain::fits;
use crate::space::{Choice, Domain, Illegal, Value};

/// All cells with at most the given numbers of vertices and edges: a flag for each possible edge, and an
/// operation for each inner vertex.
///
/// A combination stands for the cell that remains after pruning. It is legal if a path leads from the input
/// to the output and not too many edges remain. Isomorphic cells are the same point: they count once, and
/// draws are uniform over classes of isomorphic cells.
#[derive(Clone, Debug)]
pub struct CellSpace {
    vertices: usize,
    edges: u32,
    operations: Operations,
    choices: Vec<Choice>,
    catalog: GraphCatalog,
}

impl CellSpace {
    /// Creates the space and counts its cells.
    ///
    /// # Errors
    /// Returns an error for sizes that allow no cells, or more graphs than can be enumerated in about a
    /// second.
    pub fn new(vertices: usize, edges: u32, operations: Operations) -> Result<Self, CellError> {
        if !(3..=MAX_VERTICES).contains(&vertices) {
            return Err(CellError::Size(vertices));
        }
        if edges == 0 {
            return Err(CellError::NoEdges);
        }
        let names: Vec<Value> = operations.names().iter().cloned().map(Value::Text).collect();
        let choices = graph_choices(vertices, &names);
        let labels = u16::try_from(names.len()).unwrap_or(u16::MAX);
        // More than all possible edges are no more than all.
        let edges = edges.min((vertices * (vertices - 1) / 2) as u32);
        let catalog = GraphCatalog::new(vertices, edges, labels)?;
        Ok(Self { vertices, edges, operations, choices, catalog })
    }

    /// The cell that a combination stands for.
    ///
    /// # Errors
    /// Returns the reason if the combination is not legal.
    pub fn cell(&self, options: &[u16]) -> Result<Cell, Illegal> {
        fits(&self.choices, options)?;
        let (adjacency, labels) = graph_of(self.vertices, options);
        self.fitting(Cell::pruned(adjacency, labels, &self.operations))
    }

    /// Checks that a cell has no more edges than the space allows.
    fn fitting(&self, cell: Result<Cell, CellError>) -> Result<Cell, Illegal> {
        let cell = cell.map_err(|error| Illegal(error.to_string()))?;
        let (edges, most) = (cell.edge_count(), self.edges);
        if edges > most {
            return Err(Illegal(CellError::Edges { edges, most }.to_string()));
        }
        Ok(cell)
    }

    /// The options of a cell: its vertices come first, and the output is the last.
    fn options(&self, cell: &Cell) -> Vec<u16> {
        graph_options(self.vertices, cell.edges(), cell.labels())
    }
}

impl Domain for CellSpace {
    fn kind(&self) -> &'static str {
        "cell"
    }

    fn choices(&self) -> &[Choice] {
        &self.choices
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        self.cell(options).map(|_| ())
    }

    fn count(&self) -> u128 {
        self.catalog.count()
    }

    fn nth(&self, number: u128) -> Option<Vec<u16>> {
        let (adjacency, labels) = self.catalog.nth(number)?;
        let cell = Cell::pruned(adjacency, &labels, &self.operations).ok()?;
        Some(self.options(&cell))
    }

    fn canonical(&self, options: &[u16]) -> String {
        self.cell(options).map(|cell| cell.to_string()).unwrap_or_default()
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let cell = self.fitting(Cell::read(text, self.vertices, &self.operations))?;
        Ok(self.options(&cell))
    }

    fn draw(&self, rng: &mut dyn RngCore) -> Option<Vec<u16>> {
        let (adjacency, labels) = self.catalog.draw(rng);
        let cell = Cell::pruned(adjacency, &labels, &self.operations).ok()?;
        Some(self.options(&cell))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha12Rng;

    use super::*;
    use crate::space::domain::tests::numbered;
    use crate::space::nasbench101::{Catalog as Catalog101, Nasbench101Space, Op101};

    fn space(vertices: usize, edges: u32, operations: &[&str]) -> CellSpace {
        let names = operations.iter().map(|name| (*name).to_owned()).collect();
        CellSpace::new(vertices, edges, Operations::new(names).unwrap()).unwrap()
    }

    /// The different texts of all legal combinations.
    fn texts(space: &CellSpace) -> BTreeSet<String> {
        let sizes: Vec<usize> = space.choices().iter().map(|choice| choice.options.len()).collect();
        let mut texts = BTreeSet::new();
        for index in 0..sizes.iter().product::<usize>() {
            let mut rest = index;
            let mut option = |size: &usize| {
                let option = (rest % size) as u16;
                rest /= size;
                option
            };
            let options: Vec<u16> = sizes.iter().map(&mut option).collect();
            if space.check(&options).is_ok() {
                texts.insert(space.canonical(&options));
            }
        }
        texts
    }

    #[test]
    fn counts_and_texts_equal_brute_force() {
        for (vertices, edges, operations) in [
            (3, 3, &["a", "b", "c", "d"][..]),
            (4, 3, &["a", "b"]),
            (4, 6, &["a", "b", "c"]),
            (5, 5, &["a", "b"]),
            (5, 10, &["a"]),
        ] {
            let space = space(vertices, edges, operations);
            let texts = texts(&space);
            assert_eq!(numbered(&space), texts, "{vertices} {edges}");
            for text in texts {
                let options = space.parse(&text).unwrap();
                assert_eq!(space.check(&options), Ok(()));
                assert_eq!(space.canonical(&options), text);
            }
        }
        let known = Catalog101::up_to(5);
        let few = known.iter().filter(|(_, cell)| cell.edges().count() <= 6).count();
        assert_eq!(space(5, 6, &["a", "b", "c"]).count(), few as u128);
    }

    #[test]
    fn draws_are_uniform_over_different_cells() {
        let space = space(5, 6, &["a", "b"]);
        let mut rng = ChaCha12Rng::seed_from_u64(3);
        let mut seen = BTreeMap::<String, u32>::new();
        let draws = 40_000;
        for _ in 0..draws {
            let options = space.draw(&mut rng).unwrap();
            assert_eq!(space.check(&options), Ok(()));
            *seen.entry(space.canonical(&options)).or_default() += 1;
        }
        assert_eq!(seen.len() as u128, space.count());
        let expected = f64::from(draws) / seen.len() as f64;
        let statistic: f64 =
            seen.values().map(|&count| (f64::from(count) - expected).powi(2) / expected).sum();
        let freedom = seen.len() as f64 - 1.0;
        // Exceeded once in some 1,000 times.
        assert!(statistic < freedom + 3.3 * (2.0 * freedom).sqrt(), "{statistic} {freedom}");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let space = space(4, 3, &["conv", "pool"]);
        let refusal = |text: &str| space.parse(text).unwrap_err().0;
        for (text, reason) in [
            (
                "conv output(0)",
                "`conv` is not a vertex; a cell is written like `conv(0) output(0,1)`",
            ),
            (
                "con(0) output(1)",
                "`con` is not an operation; each vertex but the last is conv, pool, and the last is \
                 output",
            ),
            ("conv(1) output(1)", "vertex 1 reads `1`; it can read vertices 0 (the input) to 0"),
            ("conv(0) output()", "no path leads from the cell's input to its output"),
            ("conv(0) pool(0) output(1,2)", "the cell has 4 edges; here it has at most 3"),
            ("conv(0) pool(0) pool(0) output(1)", "the cell has 5 vertices; here it has at most 4"),
        ] {
            assert_eq!(refusal(text), reason);
        }
        assert_eq!(space.check(&[1; 3]).unwrap_err().0, "3 options given for 8 choices");
        let beyond = space.check(&[1, 0, 1, 0, 0, 1, 2, 0]).unwrap_err().0;
        assert_eq!(beyond, "op1 has 2 options, and option 2 was given");
    }

    proptest! {
        #[test]
        fn cells_of_nasbench101_are_those_that_it_keeps(
            edges in prop::collection::vec(0u16..2, 21),
            operations in prop::collection::vec(0u16..3, 5),
        ) {
            static OWN: std::sync::LazyLock<CellSpace> =
                std::sync::LazyLock::new(|| space(7, 9, &Op101::ALL.map(Op101::name)));
            let options = [edges, operations].concat();
            let theirs = Nasbench101Space::new();
            prop_assert_eq!(OWN.check(&options).is_ok(), theirs.check(&options).is_ok());
            if OWN.check(&options).is_ok() {
                let text = OWN.canonical(&options);
                prop_assert_eq!(&text, &theirs.canonical(&options));
                let read = OWN.parse(&text).unwrap();
                prop_assert_eq!(OWN.canonical(&read), text);
            }
        }
    }
}
