//! A pruned cell and its text.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use crate::space::dag::{Graph, MAX_VERTICES, TextError, has_edge, pruned, read, write};

/// The name of the last vertex in texts.
const OUTPUT: &str = "output";

/// Reasons that a cell, or a space of cells, cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CellError {
    /// A number of vertices that is not supported.
    #[error("a cell has 3 to {MAX_VERTICES} vertices, input and output among them, not {0}")]
    Size(usize),
    /// Fewer edges than a path.
    #[error("a cell has at least one edge")]
    NoEdges,
    /// No operations.
    #[error("a cell needs at least one operation")]
    NoOperations,
    /// A name of an operation that is not valid in a cell's text.
    #[error(
        "`{0}` is no name for an operation; a name has letters, digits and `_`, and is not `{OUTPUT}`"
    )]
    OperationName(String),
    /// An operation that is listed twice.
    #[error("the operation `{0}` is listed twice")]
    OperationTwice(String),
    /// More graphs than [`CellSpace`](super::CellSpace) enumerates.
    #[error(
        "there are {graphs} graphs of up to {vertices} vertices and {edges} edges to look at, more than \
         {most}; allow fewer vertices or edges"
    )]
    TooMany {
        /// The requested number of vertices.
        vertices: usize,
        /// The requested number of edges.
        edges: u32,
        /// The number of graphs.
        graphs: u128,
        /// The maximum number of graphs.
        most: u128,
    },
    /// No path connects the input with the output.
    #[error("no path leads from the cell's input to its output")]
    NoPath,
    /// A cell with too many edges.
    #[error("the cell has {edges} edges; here it has at most {most}")]
    Edges {
        /// The number of its edges.
        edges: u32,
        /// The maximum number of edges.
        most: u32,
    },
    /// A cell with too many vertices.
    #[error("the cell has {vertices} vertices; here it has at most {most}")]
    Vertices {
        /// The number of its vertices.
        vertices: usize,
        /// The maximum number of vertices.
        most: usize,
    },
    /// A vertex is not of the form `operation(sources)`.
    #[error("`{word}` is not a vertex; a cell is written like `{example}`")]
    Form {
        /// The vertex as written.
        word: String,
        /// An example of a cell.
        example: String,
    },
    /// An inner vertex has an unknown operation.
    #[error(
        "`{name}` is not an operation; each vertex but the last is {known}, and the last is {OUTPUT}"
    )]
    Operation {
        /// The name as written.
        name: String,
        /// The names of the operations.
        known: String,
    },
    /// The last vertex is not the output.
    #[error("the last vertex is `{0}`; it must be `{OUTPUT}`")]
    Output(String),
    /// A vertex reads something other than an earlier vertex.
    #[error("vertex {vertex} reads `{source_text}`; it can read vertices 0 (the input) to {last}")]
    Source {
        /// The vertex.
        vertex: usize,
        /// The source as written.
        source_text: String,
        /// The last vertex that it can read.
        last: usize,
    },
}

/// The names of the operations of inner vertices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operations(Arc<[String]>);

impl Operations {
    /// Creates a list of names.
    ///
    /// # Errors
    /// Returns an error without names, for an invalid name, and for one that is listed twice.
    pub fn new(names: Vec<String>) -> Result<Self, CellError> {
        if names.is_empty() {
            return Err(CellError::NoOperations);
        }
        let plain = |c: char| c.is_alphanumeric() || c == '_';
        let mut known = HashSet::new();
        for name in &names {
            if name.is_empty() || !name.chars().all(plain) || name == OUTPUT {
                return Err(CellError::OperationName(name.clone()));
            }
            if !known.insert(name) {
                return Err(CellError::OperationTwice(name.clone()));
            }
        }
        Ok(Self(names.into()))
    }

    /// The names.
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// A cell in which every vertex is on a path from the first to the last. Its numbering is the same for all
/// isomorphic cells, so cells are equal exactly if they are isomorphic.
#[derive(Clone, PartialEq, Eq)]
pub struct Cell {
    adjacency: u32,
    /// The operation of each inner vertex.
    labels: Vec<u16>,
    operations: Operations,
}

impl Cell {
    /// Creates a cell from any graph by pruning the vertices that are on no path from the input to the
    /// output.
    ///
    /// Bit `x + y (y - 1) / 2` of `adjacency` is the edge from `x` to `y > x`. `labels` are the operations of
    /// the inner vertices, from vertex 1.
    ///
    /// # Errors
    /// Returns an error if no path leads from the input to the output.
    ///
    /// # Panics
    /// If there are more than 6 labels, or if a label is not the number of an operation.
    pub fn pruned(
        adjacency: u32,
        labels: &[u16],
        operations: &Operations,
    ) -> Result<Self, CellError> {
        assert!(labels.iter().all(|&label| usize::from(label) < operations.0.len()));
        let (live, bits) = pruned(adjacency, labels.len() + 2).ok_or(CellError::NoPath)?;
        let inner = &live[1..live.len() - 1];
        let labels: Vec<u16> = inner.iter().map(|&old| labels[old - 1]).collect();
        let mut least: Option<(u32, Vec<u16>)> = None;
        Graph::new(bits, live.len()).orders(&mut |order, bits| {
            if least.as_ref().is_none_or(|(known, _)| bits <= *known) {
                let inner = &order[1..=labels.len()];
                let labels = inner.iter().map(|&old| labels[old - 1]).collect();
                let found = (bits, labels);
                if least.as_ref().is_none_or(|least| found < *least) {
                    least = Some(found);
                }
            }
            true
        });
        let (adjacency, labels) = least.ok_or(CellError::NoPath)?;
        Ok(Self { adjacency, labels, operations: operations.clone() })
    }

    /// Parses the text that [`Display`](fmt::Display) writes, and prunes the cell.
    ///
    /// # Errors
    /// Returns an error if the text is not that of a cell with these operations and at most `most` vertices.
    pub fn read(text: &str, most: usize, operations: &Operations) -> Result<Self, CellError> {
        let label = |name: &str| {
            let place = operations.0.iter().position(|known| known == name)?;
            u16::try_from(place).ok()
        };
        let (adjacency, labels) = read(text, most, label).map_err(|error| match error {
            TextError::Vertices(vertices) => CellError::Vertices { vertices, most },
            TextError::Form(word) => CellError::Form {
                word: word.to_owned(),
                example: format!("{}(0) {OUTPUT}(0,1)", operations.0[0]),
            },
            TextError::Operation(name) => {
                CellError::Operation { name: name.to_owned(), known: operations.0.join(", ") }
            }
            TextError::Output(name) => CellError::Output(name.to_owned()),
            TextError::Source { vertex, source } => {
                CellError::Source { vertex, source_text: source.to_owned(), last: vertex - 1 }
            }
        })?;
        Self::pruned(adjacency, &labels, operations)
    }

    /// The number of vertices, input and output included.
    pub fn vertices(&self) -> usize {
        self.labels.len() + 2
    }

    /// Returns true if an edge leads from `from` to the later vertex `to`; false for vertices that do not
    /// exist.
    pub fn has_edge(&self, from: usize, to: usize) -> bool {
        from < to && to < self.vertices() && has_edge(self.adjacency, from, to)
    }

    /// The edges, by ascending target, then source.
    pub fn edges(&self) -> impl Iterator<Item = (usize, usize)> {
        (1..self.vertices()).flat_map(move |to| self.inputs(to).map(move |from| (from, to)))
    }

    /// The sources of a vertex, ascending.
    pub fn inputs(&self, vertex: usize) -> impl Iterator<Item = usize> {
        (0..vertex).filter(move |&from| self.has_edge(from, vertex))
    }

    /// The operations of the inner vertices, from vertex 1.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = &str> {
        self.labels.iter().map(|&label| self.operations.0[usize::from(label)].as_str())
    }

    /// The operations of the inner vertices by number.
    pub(super) fn labels(&self) -> &[u16] {
        &self.labels
    }

    /// The number of edges.
    pub const fn edge_count(&self) -> u32 {
        self.adjacency.count_ones()
    }
}

impl fmt::Display for Cell {
    /// Writes the operation and the sources of each vertex after the input, for example
    /// `conv3x3(0) conv1x1(0,1) output(2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |vertex: usize| self.operations.0[usize::from(self.labels[vertex - 1])].as_str();
        write(f, self.vertices(), name, |from, to| self.has_edge(from, to))
    }
}

impl fmt::Debug for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell({self})")
    }
}
