//! The NASBench-101 cells as a part of a space.

use super::catalog::{CELL_COUNT, Catalog};
use super::cell::{Cell101, MAX_VERTICES, Op101};
use crate::space::dag::{graph_choices, graph_of, graph_options};
use crate::space::domain::fits;
use crate::space::{Choice, Domain, Illegal, Value};

/// All NASBench-101 cells: a flag for each of the 21 edges among 7 vertices, and an operation for each of the
/// 5 interior vertices.
///
/// A combination stands for the cell that remains after pruning. It is legal if a path leads from the input
/// to the output and at most 9 edges remain.
#[derive(Clone, Debug)]
pub struct Nasbench101Space {
    choices: Vec<Choice>,
}

impl Nasbench101Space {
    /// Creates the space.
    pub fn new() -> Self {
        let names = Op101::ALL.map(|operation| Value::Text(operation.name().to_owned()));
        Self { choices: graph_choices(MAX_VERTICES, &names) }
    }

    /// The cell that a combination stands for.
    ///
    /// # Errors
    /// Returns the reason if the combination is not legal.
    pub fn cell(&self, options: &[u16]) -> Result<Cell101, Illegal> {
        fits(&self.choices, options)?;
        let (adjacency, labels) = graph_of(MAX_VERTICES, options);
        let operations: Vec<Op101> =
            labels.iter().map(|&label| Op101::ALL[usize::from(label)]).collect();
        Cell101::pruned(adjacency, &operations).map_err(|error| Illegal(error.to_string()))
    }

    /// The options of a cell: its vertices come first, and the output is the last of 7.
    pub fn options(&self, cell: Cell101) -> Vec<u16> {
        let inner = 1..cell.vertices() - 1;
        let operations: Vec<u16> = inner.map(|vertex| cell.operation(vertex) as u16).collect();
        graph_options(MAX_VERTICES, cell.edges(), &operations)
    }
}

impl Default for Nasbench101Space {
    fn default() -> Self {
        Self::new()
    }
}

impl Domain for Nasbench101Space {
    fn kind(&self) -> &'static str {
        "nasbench101"
    }

    fn choices(&self) -> &[Choice] {
        &self.choices
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        self.cell(options).map(|_| ())
    }

    fn count(&self) -> u128 {
        CELL_COUNT as u128
    }

    fn nth(&self, number: u128) -> Option<Vec<u16>> {
        let cell = Catalog::shared().nth(usize::try_from(number).ok()?)?;
        Some(self.options(cell))
    }

    fn canonical(&self, options: &[u16]) -> String {
        self.cell(options).map(|cell| cell.kept().to_string()).unwrap_or_default()
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let cell: Cell101 = text.parse().map_err(|error| Illegal(format!("{error}")))?;
        Ok(self.options(cell))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::super::order::tests::any_cell;
    use super::*;

    const EDGES: usize = MAX_VERTICES * (MAX_VERTICES - 1) / 2;
    const INTERIOR: usize = MAX_VERTICES - 2;

    #[test]
    fn choices_are_edges_and_operations() {
        let space = Nasbench101Space::new();
        let names: Vec<&str> = space.choices().iter().map(|choice| choice.name.as_str()).collect();
        assert_eq!(names[..4], ["0->1", "0->2", "1->2", "0->3"]);
        assert_eq!(names[20..], ["5->6", "op1", "op2", "op3", "op4", "op5"]);
        assert_eq!(space.count(), 423_624);
        let refusal = |options: &[u16]| space.check(options).unwrap_err().0;
        assert_eq!(refusal(&[0; 26]), "no path leads from the cell's input to its output");
        assert_eq!(refusal(&[1; 26]), "the cell has 21 edges; a NASBench-101 cell has at most 9");
        assert_eq!(refusal(&[0; 3]), "3 options given for 26 choices");
        let mut options = [0; 26];
        options[25] = 3;
        assert_eq!(refusal(&options), "op5 has 3 options, and option 3 was given");
        options[1] = 2;
        assert_eq!(refusal(&options), "0->2 has 2 options, and option 2 was given");
    }

    #[test]
    fn cells_are_numbered() {
        let space = Nasbench101Space::new();
        let mut texts = BTreeSet::new();
        for number in (0..space.count()).step_by(97) {
            let options = space.nth(number).unwrap();
            assert_eq!(space.check(&options), Ok(()));
            texts.insert(space.canonical(&options));
        }
        assert_eq!(texts.len(), 423_624_usize.div_ceil(97));
        assert_eq!(space.nth(423_624), None);
        assert_eq!(space.nth(u128::MAX), None);
    }

    /// Prunes every adjacency of 7 vertices as defined, by following all paths.
    #[test]
    fn an_adjacency_is_legal_if_at_most_9_edges_are_on_paths() {
        let mut legal = 0u32;
        for adjacency in 0..1u32 << EDGES {
            // Which edges are on a path that starts at each vertex and ends at the output.
            let mut paths = [0u32; MAX_VERTICES];
            for from in (0..MAX_VERTICES - 1).rev() {
                for to in from + 1..MAX_VERTICES {
                    let bit = 1 << (from + to * (to - 1) / 2);
                    if adjacency & bit != 0 && (to == MAX_VERTICES - 1 || paths[to] != 0) {
                        paths[from] |= bit | paths[to];
                    }
                }
            }
            let expected = paths[0] != 0 && paths[0].count_ones() <= 9;
            legal += u32::from(expected);
            let pruned = Cell101::pruned(adjacency, &[Op101::Conv3x3; INTERIOR]);
            assert_eq!(pruned.is_ok(), expected, "{adjacency:b}");
        }
        // Operations do not matter: 73 % of all combinations are legal.
        assert_eq!(legal, 1_538_083);
    }

    proptest! {
        #[test]
        fn cells_survive_their_options(cell in any_cell()) {
            let space = Nasbench101Space::new();
            let options = space.options(cell);
            prop_assert_eq!(space.cell(&options), Ok(cell));
            let text = space.canonical(&options);
            prop_assert_eq!(&text, &space.canonical(&space.options(cell.kept())));
            let parsed = space.parse(&text).unwrap();
            prop_assert_eq!(space.cell(&parsed), Ok(cell.kept()));
        }
    }
}
