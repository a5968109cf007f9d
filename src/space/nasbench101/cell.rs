//! A cell: a pruned graph with an operation for each interior vertex.

use std::fmt;
use std::str::FromStr;

use crate::space::dag::{TextError, edge_bit, has_edge, pruned, read, write};

/// The maximum number of vertices of a cell, input and output included.
pub const MAX_VERTICES: usize = 7;

/// The maximum number of edges of a cell.
pub const MAX_EDGES: u32 = 9;

/// The number of possible edges among [`MAX_VERTICES`] vertices.
pub(super) const EDGE_BITS: u32 = 21;

/// The operation of an interior vertex.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op101 {
    /// 3x3 convolution, batch normalization, ReLU.
    Conv3x3,
    /// 1x1 convolution, batch normalization, ReLU.
    Conv1x1,
    /// 3x3 max pooling with stride 1.
    MaxPool3x3,
}

impl Op101 {
    /// Every operation, in the order of the benchmark's labels.
    pub const ALL: [Self; 3] = [Self::Conv3x3, Self::Conv1x1, Self::MaxPool3x3];

    /// The operation's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Conv3x3 => "conv3x3",
            Self::Conv1x1 => "conv1x1",
            Self::MaxPool3x3 => "maxpool3x3",
        }
    }
}

impl fmt::Display for Op101 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A NASBench-101 cell: every vertex is on a path from the first to the last, and there are at most
/// [`MAX_EDGES`] edges.
///
/// Cells are equal if their numbered graphs are; [`Cell101::kept`] is equal for isomorphic cells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell101 {
    /// Bits 0 to 20: bit `x + y (y - 1) / 2` is the edge from `x` to `y`; bits 21 to 30: the label
    /// of each interior vertex in two bits, from vertex 1.
    packed: u32,
}

/// Errors in a graph, or in the text of a cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cell101Error {
    /// No path connects the input with the output.
    #[error("no path leads from the cell's input to its output")]
    NoPath,
    /// There are too many edges.
    #[error("the cell has {0} edges; a NASBench-101 cell has at most {MAX_EDGES}")]
    Edges(u32),
    /// There are too many vertices.
    #[error("the cell has {0} vertices; a NASBench-101 cell has at most {MAX_VERTICES}")]
    Vertices(usize),
    /// A vertex is not of the form `operation(sources)`.
    #[error("`{0}` is not a vertex; a cell is written like `{EXAMPLE}`")]
    Form(String),
    /// An inner vertex has an unknown operation.
    #[error(
        "`{0}` is not an operation; each vertex but the last is conv3x3, conv1x1 or maxpool3x3, and \
         the last is output"
    )]
    Operation(String),
    /// The last vertex is not the output.
    #[error("the last vertex is `{0}`; it must be `output`, as in `{EXAMPLE}`")]
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

const EXAMPLE: &str = "conv3x3(0) conv3x3(1) output(0,2)";

impl Cell101 {
    /// Creates a cell from any graph by pruning the vertices that are on no path from the input to the
    /// output.
    ///
    /// Bit `x + y (y - 1) / 2` of `adjacency` is the edge from `x` to `y > x`. `operations` are those of the
    /// interior vertices, from vertex 1.
    ///
    /// # Errors
    /// Returns an error for a graph without a path, with too many vertices, or with too many edges after
    /// pruning.
    pub fn pruned(adjacency: u32, operations: &[Op101]) -> Result<Self, Cell101Error> {
        let vertices = operations.len() + 2;
        if vertices > MAX_VERTICES {
            return Err(Cell101Error::Vertices(vertices));
        }
        let (live, mut packed) = pruned(adjacency, vertices).ok_or(Cell101Error::NoPath)?;
        for (vertex, &old) in live.iter().enumerate().take(live.len() - 1).skip(1) {
            packed |= label_bits(vertex, operations[old - 1]);
        }
        let edges = (packed & EDGE_MASK).count_ones();
        if edges > MAX_EDGES {
            return Err(Cell101Error::Edges(edges));
        }
        Ok(Self { packed })
    }

    /// The cell as 31 bits: 21 of adjacency, then two for the operation of each interior vertex.
    pub const fn packed(self) -> u32 {
        self.packed
    }

    /// The cell with the given bits; `None` if they are not those of a pruned cell.
    pub fn from_packed(packed: u32) -> Option<Self> {
        let cell = Self { packed };
        let vertices = cell.vertices();
        let interior = vertices.checked_sub(2)?;
        let labels = packed >> EDGE_BITS;
        let operation =
            |index: usize| Op101::ALL.get((labels >> (2 * index) & 3) as usize).copied();
        let operations: Vec<Op101> = (0..interior).map(operation).collect::<Option<_>>()?;
        let pruned = Self::pruned(packed & EDGE_MASK, &operations).ok()?;
        (pruned == cell).then_some(cell)
    }

    /// Creates a cell from parts that are known to be valid.
    pub(super) const fn from_parts(adjacency: u32, labels: u32) -> Self {
        Self { packed: adjacency | labels << EDGE_BITS }
    }

    /// The adjacency bits.
    pub(super) const fn adjacency(self) -> u32 {
        self.packed & EDGE_MASK
    }

    /// The number of vertices, input and output included: from 2 to [`MAX_VERTICES`].
    pub const fn vertices(self) -> usize {
        let bits = u32::BITS - self.adjacency().leading_zeros();
        let mut vertices: usize = 1;
        while (vertices * (vertices - 1) / 2) < bits as usize {
            vertices += 1;
        }
        vertices
    }

    /// Returns true if an edge leads from `from` to the later vertex `to`; false for vertices that do not
    /// exist.
    pub const fn has_edge(self, from: usize, to: usize) -> bool {
        from < to && to < MAX_VERTICES && has_edge(self.adjacency(), from, to)
    }

    /// The edges, by ascending target, then source.
    pub fn edges(self) -> impl Iterator<Item = (usize, usize)> {
        (1..self.vertices()).flat_map(move |to| {
            (0..to).filter(move |&from| self.has_edge(from, to)).map(move |from| (from, to))
        })
    }

    /// The operation of an interior vertex.
    ///
    /// # Panics
    /// If the vertex is the input, the output or beyond.
    pub fn operation(self, vertex: usize) -> Op101 {
        assert!(vertex > 0 && vertex + 1 < self.vertices(), "vertex {vertex} has no operation");
        Op101::ALL[self.label(vertex)]
    }

    /// The label of an interior vertex.
    pub(super) const fn label(self, vertex: usize) -> usize {
        (self.packed >> EDGE_BITS >> (2 * (vertex - 1)) & 3) as usize
    }

    /// The cell of a residual block: two 3x3 convolutions and a shortcut around them.
    pub fn resnet_like() -> Self {
        use Op101::Conv3x3;
        let adjacency = edge_bit(0, 1) | edge_bit(1, 2) | edge_bit(2, 3) | edge_bit(0, 3);
        Self { packed: adjacency | label_bits(1, Conv3x3) | label_bits(2, Conv3x3) }.kept()
    }

    /// The cell of an inception module, the paper's GoogLeNet cell. Its branches are a 1x1 convolution, a 3x3
    /// convolution, two consecutive 3x3 convolutions, and max pooling.
    pub fn inception_like() -> Self {
        use Op101::{Conv1x1, Conv3x3, MaxPool3x3};
        let edges = [(0, 1), (0, 2), (0, 3), (3, 4), (0, 5), (1, 6), (2, 6), (4, 6), (5, 6)];
        let operations = [Conv1x1, Conv3x3, Conv3x3, Conv3x3, MaxPool3x3];
        let adjacency = edges.into_iter().map(|(from, to)| edge_bit(from, to)).sum::<u32>();
        let labels = (1..).zip(operations).map(|(vertex, op)| label_bits(vertex, op)).sum::<u32>();
        Self { packed: adjacency | labels }.kept()
    }
}

const EDGE_MASK: u32 = (1 << EDGE_BITS) - 1;

const fn label_bits(vertex: usize, operation: Op101) -> u32 {
    (operation as u32) << EDGE_BITS << (2 * (vertex - 1))
}

impl fmt::Display for Cell101 {
    /// Writes the operation and the sources of each vertex after the input, for example
    /// `conv3x3(0) conv3x3(1) output(0,2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |vertex| self.operation(vertex).name();
        write(f, self.vertices(), name, |from, to| self.has_edge(from, to))
    }
}

impl fmt::Debug for Cell101 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cell101({self})")
    }
}

impl FromStr for Cell101 {
    type Err = Cell101Error;

    /// Parses the text that [`Display`](fmt::Display) writes, and prunes the cell.
    fn from_str(text: &str) -> Result<Self, Cell101Error> {
        let operation = |name: &str| Op101::ALL.into_iter().find(|known| known.name() == name);
        let (adjacency, operations) =
            read(text, MAX_VERTICES, operation).map_err(|error| match error {
                TextError::Vertices(vertices) => Cell101Error::Vertices(vertices),
                TextError::Form(word) => Cell101Error::Form(word.to_owned()),
                TextError::Operation(name) => Cell101Error::Operation(name.to_owned()),
                TextError::Output(name) => Cell101Error::Output(name.to_owned()),
                TextError::Source { vertex, source } => {
                    let source_text = source.to_owned();
                    Cell101Error::Source { vertex, source_text, last: vertex - 1 }
                }
            })?;
        Self::pruned(adjacency, &operations)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<String, String> {
        text.parse::<Cell101>().map(|cell| cell.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_are_written_and_read() {
        for text in [
            "output(0)",
            "conv3x3(0) conv3x3(1) output(0,2)",
            "conv1x1(0) maxpool3x3(0) conv3x3(0,1,2) output(1,2,3)",
        ] {
            assert_eq!(read(text).as_deref(), Ok(text));
        }
        assert_eq!(Cell101::resnet_like().to_string(), "conv3x3(0) conv3x3(1) output(0,2)");
        assert_eq!(Cell101::resnet_like().vertices(), 4);
        assert_eq!(Cell101::inception_like().edges().count(), 9);
    }

    #[test]
    fn pruning_drops_what_is_on_no_path() {
        // Vertex 1 is read by nobody, vertex 3 reads nothing.
        assert_eq!(
            read("conv1x1(0) conv3x3(0) maxpool3x3() conv1x1(2,3) output(4)").as_deref(),
            Ok("conv3x3(0) conv1x1(1) output(2)")
        );
    }

    #[test]
    fn a_wrong_text_says_what_is_expected() {
        let error = |text: &str| read(text).unwrap_err();
        assert_eq!(
            error("conv3x3 output(0)"),
            "`conv3x3` is not a vertex; a cell is written like `conv3x3(0) conv3x3(1) output(0,2)`"
        );
        assert_eq!(
            error("conv5x5(0) output(1)"),
            "`conv5x5` is not an operation; each vertex but the last is conv3x3, conv1x1 or \
             maxpool3x3, and the last is output"
        );
        assert_eq!(
            error("conv3x3(0)"),
            "the last vertex is `conv3x3`; it must be `output`, as in `conv3x3(0) conv3x3(1) output(0,2)`"
        );
        assert_eq!(
            error("conv3x3(1) output(1)"),
            "vertex 1 reads `1`; it can read vertices 0 (the input) to 0"
        );
        for source in ["+0", "00", "", "-1", "x"] {
            assert_eq!(
                error(&format!("conv3x3(0,{source}) output(1)")),
                format!("vertex 1 reads `{source}`; it can read vertices 0 (the input) to 0")
            );
        }
        assert_eq!(
            error("conv3x3(0) output()"),
            "no path leads from the cell's input to its output"
        );
        assert_eq!(
            error("conv3x3(0) conv3x3(0,1) conv3x3(0,1,2) conv3x3(0,1,2,3) output(1,2,3,4)"),
            "the cell has 14 edges; a NASBench-101 cell has at most 9"
        );
        assert_eq!(
            error(&format!("{}output(1)", "conv3x3(0) ".repeat(6))),
            "the cell has 8 vertices; a NASBench-101 cell has at most 7"
        );
        assert!(error("").starts_with("`` is not a vertex"));
    }

    #[test]
    fn no_edge_leads_to_a_vertex_that_is_not_there() {
        let cell = Cell101::inception_like();
        for from in 0..70 {
            for to in (0..70).chain([usize::MAX]) {
                let expected = cell.edges().any(|edge| edge == (from, to));
                assert_eq!(cell.has_edge(from, to), expected, "{from}->{to}");
            }
        }
    }

    #[test]
    fn only_pruned_cells_are_unpacked() {
        for cell in [Cell101::resnet_like(), Cell101::inception_like()] {
            assert_eq!(Cell101::from_packed(cell.packed()), Some(cell));
        }
        let unconnected = edge_bit(0, 1) | edge_bit(0, 2);
        let wrong_label = Cell101::resnet_like().packed() | 3 << EDGE_BITS;
        let label_of_output = Cell101::resnet_like().packed() | 1 << (EDGE_BITS + 4);
        for packed in [0, unconnected, wrong_label, label_of_output, 1 << 31 | 1] {
            assert_eq!(Cell101::from_packed(packed), None, "{packed:b}");
        }
    }
}
