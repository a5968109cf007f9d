//! Cells of one's own as a part of a space.

use rand::RngCore;

use super::catalogue::Catalogue;
use super::cell::{Cell, CellError, Operations};
use crate::space::dag::MOST_VERTICES;
use crate::space::{Choice, Domain, Illegal, Value};

/// All cells of at most so many vertices and edges: whether each possible edge is there, and an
/// operation for each inner vertex.
///
/// A combination stands for the cell that is left after pruning; it is legal if there is a path from
/// the input to the output and at most so many edges are left. Isomorphic cells are the same point:
/// they are counted once, and draws are uniform over the different ones.
#[derive(Clone, Debug)]
pub struct CellSpace {
    vertices: usize,
    edges: u32,
    operations: Operations,
    choices: Vec<Choice>,
    catalogue: Catalogue,
}

impl CellSpace {
    /// Makes the space, which counts its cells.
    ///
    /// # Errors
    /// Sizes for which there are no cells, or so many that they are not counted in about a second.
    pub fn new(vertices: usize, edges: u32, operations: Operations) -> Result<Self, CellError> {
        if !(3..=MOST_VERTICES).contains(&vertices) {
            return Err(CellError::Size(vertices));
        }
        if edges == 0 {
            return Err(CellError::NoEdges);
        }
        let pairs = (1..vertices).flat_map(|to| (0..to).map(move |from| (from, to)));
        let flags = [Value::Flag(false), Value::Flag(true)];
        let edge = |(from, to)| Choice::new(format!("{from}->{to}"), flags.clone());
        let names: Vec<Value> = operations.names().iter().cloned().map(Value::Text).collect();
        let inner = (1..vertices - 1).map(|v| Choice::new(format!("op{v}"), names.clone()));
        let choices = pairs.map(edge).chain(inner).collect();
        let labels = u16::try_from(names.len()).unwrap_or(u16::MAX);
        // More than all possible edges are no more than all.
        let edges = edges.min((vertices * (vertices - 1) / 2) as u32);
        let catalogue = Catalogue::new(vertices, edges, labels)?;
        Ok(Self { vertices, edges, operations, choices, catalogue })
    }

    /// The cell that a combination stands for.
    ///
    /// # Errors
    /// The combination is not legal.
    pub fn cell(&self, options: &[u16]) -> Result<Cell, Illegal> {
        if options.len() != self.choices.len() {
            let (given, expected) = (options.len(), self.choices.len());
            return Err(Illegal(format!("{given} options given for {expected} choices")));
        }
        let beyond =
            |(choice, option): &(&Choice, &u16)| usize::from(**option) >= choice.options.len();
        if let Some((choice, option)) = self.choices.iter().zip(options).find(beyond) {
            let (name, known) = (&choice.name, choice.options.len());
            return Err(Illegal(format!("{name} has {known} options, and option {option} was given")));
        }
        let (edges, labels) = options.split_at(self.choices.len() + 2 - self.vertices);
        let adjacency =
            (0..).zip(edges).fold(0, |bits, (edge, &option)| bits | u32::from(option) << edge);
        self.fitting(Cell::pruned(adjacency, labels, &self.operations))
    }

    /// A cell that has no more edges than it may.
    fn fitting(&self, cell: Result<Cell, CellError>) -> Result<Cell, Illegal> {
        let cell = cell.map_err(|error| Illegal(error.to_string()))?;
        let (edges, most) = (cell.edge_count(), self.edges);
        if edges > most {
            return Err(Illegal(CellError::Edges { edges, most }.to_string()));
        }
        Ok(cell)
    }

    /// Options that stand for a cell: its vertices come first, and the output is the last.
    fn options(&self, cell: &Cell) -> Vec<u16> {
        let last = cell.vertices() - 1;
        let mut options = vec![0; self.choices.len()];
        for (from, to) in cell.edges() {
            let to = if to == last { self.vertices - 1 } else { to };
            options[from + to * (to - 1) / 2] = 1;
        }
        let first = self.choices.len() + 2 - self.vertices;
        options[first..first + cell.labels().len()].copy_from_slice(cell.labels());
        options
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
        self.catalogue.count()
    }

    fn canonical(&self, options: &[u16]) -> String {
        self.cell(options).map(|cell| cell.to_string()).unwrap_or_default()
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let cell = self.fitting(Cell::read(text, self.vertices, &self.operations))?;
        Ok(self.options(&cell))
    }

    fn draw(&self, rng: &mut dyn RngCore) -> Option<Vec<u16>> {
        let (adjacency, labels) = self.catalogue.draw(rng);
        let cell = Cell::pruned(adjacency, &labels, &self.operations).ok()?;
        Some(self.options(&cell))
    }
}
