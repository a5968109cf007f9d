//! The NAS-Bench-201 cell and the space of all such cells.
//!
//! Dong and Yang, "NAS-Bench-201: Extending the Scope of Reproducible Neural Architecture Search"
//! (ICLR 2020), section 2.1: four nodes, an edge from every node to every later one, one of five
//! operations on each edge, 5^6 = 15,625 cells. Node 0 is the cell's input, node 3 its output, and
//! a node is the sum of its incoming edges.

use std::fmt;
use std::str::FromStr;

use super::domain::combination;
use super::{Choice, Domain, Illegal, Value};

/// The number of edges of a cell.
pub const EDGE_COUNT: usize = 6;

/// The number of cells, 5^6.
pub const CELL_COUNT: usize = 15_625;

/// The edges of a cell as (source node, target node), in the order of all lists by edge in this module.
pub const EDGES: [(usize, usize); EDGE_COUNT] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];

const NODES: usize = 4;

/// The operation on one edge of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Op201 {
    /// No connection: the edge gives zeros.
    None,
    /// The source node unchanged.
    SkipConnect,
    /// ReLU, 1x1 convolution, batch normalization.
    Conv1x1,
    /// ReLU, 3x3 convolution, batch normalization.
    Conv3x3,
    /// 3x3 average pooling that excludes padding from the mean.
    AvgPool3x3,
}

impl Op201 {
    /// Every operation, in the order of the benchmark.
    pub const ALL: [Self; 5] =
        [Self::None, Self::SkipConnect, Self::Conv1x1, Self::Conv3x3, Self::AvgPool3x3];

    /// The operation's name in the benchmark.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::SkipConnect => "skip_connect",
            Self::Conv1x1 => "nor_conv_1x1",
            Self::Conv3x3 => "nor_conv_3x3",
            Self::AvgPool3x3 => "avg_pool_3x3",
        }
    }
}

impl fmt::Display for Op201 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A NAS-Bench-201 cell: the operation on each edge, in the order of [`EDGES`].
///
/// Cells compare as their [indices](Cell201::index) do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cell201([Op201; EDGE_COUNT]);

impl Cell201 {
    /// Creates the cell with these operations, in the order of [`EDGES`].
    pub const fn new(operations: [Op201; EDGE_COUNT]) -> Self {
        Self(operations)
    }

    /// The operations, in the order of [`EDGES`].
    pub const fn operations(self) -> [Op201; EDGE_COUNT] {
        self.0
    }

    /// The index of the cell, below [`CELL_COUNT`]: the positions of its operations in [`Op201::ALL`] as the
    /// digits of a number in base 5, the first edge most significant.
    ///
    /// The benchmark's own files number cells differently, in no regular order.
    pub fn index(self) -> usize {
        self.0.iter().fold(0, |index, &op| index * Op201::ALL.len() + op as usize)
    }

    /// The cell with the given [index](Cell201::index); `None` from [`CELL_COUNT`] on.
    pub fn from_index(index: usize) -> Option<Self> {
        let mut operations = [Op201::None; EDGE_COUNT];
        let mut rest = index;
        for operation in operations.iter_mut().rev() {
            *operation = Op201::ALL[rest % Op201::ALL.len()];
            rest /= Op201::ALL.len();
        }
        (rest == 0).then_some(Self(operations))
    }

    /// Iterates over all cells in the order of their indices.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..CELL_COUNT).filter_map(Self::from_index)
    }

    /// The live edges, in the order of [`EDGES`]: true if an edge's result depends on the cell's input and
    /// reaches its output.
    ///
    /// An edge is live if its operation is not `none` and it lies on a path of such edges from node 0 to node
    /// 3. A cell without a live edge gives zeros for every input.
    pub fn live_edges(self) -> [bool; EDGE_COUNT] {
        let passes = self.0.map(|operation| operation != Op201::None);
        let mut fed = [false; NODES];
        let mut used = [false; NODES];
        fed[0] = true;
        used[NODES - 1] = true;
        // Edges are listed by ascending target, so one pass each way settles every node.
        for (&(source, target), passes) in EDGES.iter().zip(passes) {
            fed[target] |= passes && fed[source];
        }
        for (&(source, target), passes) in EDGES.iter().zip(passes).rev() {
            used[source] |= passes && used[target];
        }
        std::array::from_fn(|edge| {
            let (source, target) = EDGES[edge];
            passes[edge] && fed[source] && used[target]
        })
    }
}

impl fmt::Display for Cell201 {
    /// Writes the benchmark's text, for example
    /// `|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (&(source, target), operation) in EDGES.iter().zip(self.0) {
            if source == 0 {
                f.write_str(if target == 1 { "|" } else { "+|" })?;
            }
            write!(f, "{operation}~{source}|")?;
        }
        Ok(())
    }
}

/// Errors in the text of a cell.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cell201Error {
    /// The text has too few or too many parts between `+`.
    #[error(
        "a NAS-Bench-201 cell has 3 nodes joined by `+`, but this text has {found}; \
         write it like `{EXAMPLE}`"
    )]
    Nodes {
        /// The number of parts.
        found: usize,
    },
    /// A node does not begin or does not end with a bar.
    #[error("node {node} of the cell is `{text}`; it must begin and end with `|`, like `{example}`", example = node_example(*node))]
    Bars {
        /// The node, from 1 to 3.
        node: usize,
        /// Its text.
        text: String,
    },
    /// A node has too few or too many incoming edges.
    #[error(
        "node {node} of the cell has {found} incoming edges; it must have one from each earlier \
         node, like `{example}`", example = node_example(*node)
    )]
    Edges {
        /// The node, from 1 to 3.
        node: usize,
        /// The number of edges.
        found: usize,
    },
    /// An edge does not name its source node, or names another than the expected one.
    #[error(
        "edge {source_node}->{node} of the cell is `{text}`; it must be an operation followed by \
         `~{source_node}`, like `nor_conv_3x3~{source_node}`"
    )]
    Source {
        /// The node at which the edge ends.
        node: usize,
        /// The node from which it must come.
        source_node: usize,
        /// Its text.
        text: String,
    },
    /// An edge has an operation that the benchmark does not define.
    #[error(
        "edge {source_node}->{node} of the cell has the operation `{name}`; the operations are \
         {names}", names = operation_names()
    )]
    Operation {
        /// The node at which the edge ends.
        node: usize,
        /// The node at which the edge starts.
        source_node: usize,
        /// The given name.
        name: String,
    },
}

const EXAMPLE: &str =
    "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|";

fn node_example(node: usize) -> &'static str {
    EXAMPLE.split('+').nth(node.saturating_sub(1)).unwrap_or(EXAMPLE)
}

fn operation_names() -> String {
    Op201::ALL.map(|operation| format!("`{operation}`")).join(", ")
}

impl FromStr for Cell201 {
    type Err = Cell201Error;

    /// Parses the text that [`Display`](fmt::Display) writes.
    fn from_str(text: &str) -> Result<Self, Cell201Error> {
        let found = text.split('+').count();
        if found != NODES - 1 {
            return Err(Cell201Error::Nodes { found });
        }
        let mut operations = [Op201::None; EDGE_COUNT];
        let mut slots = operations.iter_mut();
        for (node, text) in (1..NODES).zip(text.split('+')) {
            let inner = text
                .strip_prefix('|')
                .and_then(|rest| rest.strip_suffix('|'))
                .ok_or_else(|| Cell201Error::Bars { node, text: text.to_owned() })?;
            let found = inner.split('|').count();
            if found != node {
                return Err(Cell201Error::Edges { node, found });
            }
            for ((source_node, text), slot) in inner.split('|').enumerate().zip(slots.by_ref()) {
                *slot = parse_edge(node, source_node, text)?;
            }
        }
        Ok(Self(operations))
    }
}

fn parse_edge(node: usize, source_node: usize, text: &str) -> Result<Op201, Cell201Error> {
    let name = text
        .split_once('~')
        .filter(|(_, source)| *source == source_node.to_string())
        .map(|(name, _)| name)
        .ok_or_else(|| Cell201Error::Source { node, source_node, text: text.to_owned() })?;
    Op201::ALL
        .into_iter()
        .find(|operation| operation.name() == name)
        .ok_or_else(|| Cell201Error::Operation { node, source_node, name: name.to_owned() })
}

/// All 15,625 NAS-Bench-201 cells: a choice of operation for each edge; every combination is legal.
///
/// Choices are named after their edges (`0->1`), in the order of [`EDGES`]; options are in the order of
/// [`Op201::ALL`]. Cells count as distinct even if they compute the same function, since the benchmark gives
/// each its own accuracies.
#[derive(Clone, Debug)]
pub struct Nasbench201Space {
    choices: [Choice; EDGE_COUNT],
}

impl Nasbench201Space {
    /// Creates the space.
    pub fn new() -> Self {
        Self {
            choices: EDGES.map(|(source, target)| {
                let names = Op201::ALL.map(|operation| Value::Text(operation.name().to_owned()));
                Choice::new(format!("{source}->{target}"), names)
            }),
        }
    }

    /// The cell that a legal combination of options stands for.
    ///
    /// # Panics
    /// If an option does not exist.
    pub fn cell(&self, options: &[u16]) -> Cell201 {
        Cell201(std::array::from_fn(|edge| Op201::ALL[usize::from(options[edge])]))
    }

    /// The options of a cell.
    pub fn options(&self, cell: Cell201) -> [u16; EDGE_COUNT] {
        cell.0.map(|operation| operation as u16)
    }
}

impl Default for Nasbench201Space {
    fn default() -> Self {
        Self::new()
    }
}

impl Domain for Nasbench201Space {
    fn kind(&self) -> &'static str {
        "nasbench201"
    }

    fn choices(&self) -> &[Choice] {
        &self.choices
    }

    fn check(&self, options: &[u16]) -> Result<(), Illegal> {
        if options.len() != EDGE_COUNT {
            let given = options.len();
            return Err(Illegal(format!("{given} operations given for {EDGE_COUNT} edges")));
        }
        for (choice, &option) in self.choices.iter().zip(options) {
            if usize::from(option) >= Op201::ALL.len() {
                let (edge, names) = (&choice.name, operation_names());
                return Err(Illegal(format!(
                    "edge {edge} has no operation {option}; operations 0 to 4 are {names}"
                )));
            }
        }
        Ok(())
    }

    fn count(&self) -> u128 {
        CELL_COUNT as u128
    }

    fn nth(&self, number: u128) -> Option<Vec<u16>> {
        combination(&self.choices, number)
    }

    fn canonical(&self, options: &[u16]) -> String {
        self.cell(options).to_string()
    }

    fn parse(&self, text: &str) -> Result<Vec<u16>, Illegal> {
        let cell: Cell201 =
            text.parse().map_err(|error: Cell201Error| Illegal(error.to_string()))?;
        Ok(self.options(cell).to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_cell_survives_its_index_text_and_options() {
        let space = Nasbench201Space::new();
        let mut texts = HashSet::new();
        let mut last = None;
        for (index, cell) in Cell201::all().enumerate() {
            assert_eq!(cell.index(), index);
            assert_eq!(Cell201::from_index(index), Some(cell));
            assert!(last < Some(cell), "the order of cells is that of their indices");
            last = Some(cell);

            let text = cell.to_string();
            assert_eq!(text.parse(), Ok(cell));
            let options = space.options(cell);
            assert_eq!(space.nth(index as u128), Some(options.to_vec()));
            assert_eq!(space.check(&options), Ok(()));
            assert_eq!(space.cell(&options), cell);
            assert_eq!(space.canonical(&options), text);
            assert_eq!(space.parse(&text), Ok(options.to_vec()));
            texts.insert(text);
        }
        assert_eq!(texts.len(), CELL_COUNT);
        assert_eq!(space.count(), 15_625);
        assert_eq!(space.nth(15_625), None);
        assert_eq!(Cell201::from_index(CELL_COUNT), None);
        assert_eq!(Cell201::from_index(usize::MAX), None);
    }

    #[test]
    fn the_resnet_cell_is_written_as_in_the_benchmark() {
        use Op201::{Conv3x3, None, SkipConnect};
        let cell = Cell201::new([Conv3x3, None, Conv3x3, SkipConnect, None, SkipConnect]);
        assert_eq!(cell.to_string(), EXAMPLE);
        assert_eq!(cell.index(), ((((3 * 5) * 5 + 3) * 5 + 1) * 5) * 5 + 1);
        assert_eq!(Nasbench201Space::new().options(cell), [3, 0, 3, 1, 0, 1]);
        assert_eq!(cell.live_edges(), [true, false, true, true, false, true]);
    }

    #[test]
    fn choices_are_edges_and_options_are_operations() {
        let space = Nasbench201Space::default();
        assert_eq!(space.kind(), "nasbench201");
        let names: Vec<&str> = space.choices().iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["0->1", "0->2", "1->2", "0->3", "1->3", "2->3"]);
        for choice in space.choices() {
            let options: Vec<String> = choice.options.iter().map(Value::to_string).collect();
            assert_eq!(
                options,
                ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
            );
        }
        let refusal = |options: &[u16]| space.check(options).map_err(|illegal| illegal.0);
        assert_eq!(refusal(&[0; 5]), Err("5 operations given for 6 edges".to_owned()));
        assert_eq!(
            refusal(&[0, 0, 5, 0, 0, 0]),
            Err("edge 1->2 has no operation 5; operations 0 to 4 are `none`, `skip_connect`, \
                 `nor_conv_1x1`, `nor_conv_3x3`, `avg_pool_3x3`"
                .to_owned())
        );
    }

    /// Every path from `node` to node 3, as the edges that it takes.
    fn paths(node: usize, taken: &[usize]) -> Vec<Vec<usize>> {
        if node == 3 {
            return vec![taken.to_vec()];
        }
        let leaving = EDGES.iter().enumerate().filter(|(_, edge)| edge.0 == node);
        leaving.flat_map(|(index, edge)| paths(edge.1, &[taken, &[index]].concat())).collect()
    }

    #[test]
    fn live_edges_are_those_on_a_path_without_none() {
        let paths = paths(0, &[]);
        assert_eq!(paths.len(), 4);
        for cell in Cell201::all() {
            let mut live = [false; EDGE_COUNT];
            for path in &paths {
                if path.iter().all(|&edge| cell.0[edge] != Op201::None) {
                    path.iter().for_each(|&edge| live[edge] = true);
                }
            }
            assert_eq!(cell.live_edges(), live, "{cell}");
        }
    }

    #[test]
    fn a_wrong_text_says_where_and_why() {
        let error = |text: &str| text.parse::<Cell201>().map_err(|error| error.to_string());
        let node = "|none~0|+|none~0|none~1|";
        for (text, message) in [
            (
                String::new(),
                "a NAS-Bench-201 cell has 3 nodes joined by `+`, but this text has 1; write it \
                 like `|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|\
                 skip_connect~2|`",
            ),
            (
                format!("{node}+none~0|none~1|none~2|"),
                "node 3 of the cell is `none~0|none~1|none~2|`; it must begin and end with `|`, \
                 like `|skip_connect~0|none~1|skip_connect~2|`",
            ),
            (
                "|+|+|".to_owned(),
                "node 1 of the cell is `|`; it must begin and end with `|`, like \
                 `|nor_conv_3x3~0|`",
            ),
            (
                format!("{node}+|none~0|none~1|"),
                "node 3 of the cell has 2 incoming edges; it must have one from each earlier \
                 node, like `|skip_connect~0|none~1|skip_connect~2|`",
            ),
            (
                format!("{node}+|none~0|none~2|none~1|"),
                "edge 1->3 of the cell is `none~2`; it must be an operation followed by `~1`, \
                 like `nor_conv_3x3~1`",
            ),
            (
                format!("{node}+|none~0|none|none~2|"),
                "edge 1->3 of the cell is `none`; it must be an operation followed by `~1`, like \
                 `nor_conv_3x3~1`",
            ),
            (
                format!("{node}+|none~0|none~1|max_pool~2|"),
                "edge 2->3 of the cell has the operation `max_pool`; the operations are `none`, \
                 `skip_connect`, `nor_conv_1x1`, `nor_conv_3x3`, `avg_pool_3x3`",
            ),
        ] {
            assert_eq!(error(&text), Err(message.to_owned()));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_read_as_a_cell_that_prints_otherwise(
            text in "(\\||\\+|~|[0-3]|none|skip_connect|nor_conv_[13]x[13]|[a-z]){0,40}"
        ) {
            if let Ok(cell) = text.parse::<Cell201>() {
                assert_eq!(cell.to_string(), text);
            }
        }
    }
}
