//! Graphs as texts: the operation and the sources of each vertex after the input,
//! `conv3x3(0) conv1x1(0,1) output(2)`.

use std::fmt;

use super::graph::edge_bit;

/// The name of the last vertex in texts.
const OUTPUT: &str = "output";

/// Errors in the text of a graph.
pub(in crate::space) enum TextError<'t> {
    /// There are too many vertices.
    Vertices(usize),
    /// A vertex is not of the form `operation(sources)`.
    Form(&'t str),
    /// An inner vertex has an unknown operation.
    Operation(&'t str),
    /// The last vertex is not the output.
    Output(&'t str),
    /// A vertex reads something other than an earlier vertex.
    Source {
        /// The vertex.
        vertex: usize,
        /// The source as written.
        source: &'t str,
    },
}

/// Writes the text of a graph with `vertices` vertices.
pub(in crate::space) fn write<'n>(
    f: &mut fmt::Formatter<'_>,
    vertices: usize,
    name: impl Fn(usize) -> &'n str,
    has_edge: impl Fn(usize, usize) -> bool,
) -> fmt::Result {
    let last = vertices - 1;
    for to in 1..=last {
        let name = if to == last { OUTPUT } else { name(to) };
        let sources: Vec<String> =
            (0..to).filter(|&from| has_edge(from, to)).map(|v| v.to_string()).collect();
        let space = if to == 1 { "" } else { " " };
        write!(f, "{space}{name}({})", sources.join(","))?;
    }
    Ok(())
}

/// Parses the text of a graph with at most `most_vertices` vertices: the adjacency bits and the operations of
/// the inner vertices.
pub(in crate::space) fn read<'t, O>(
    text: &'t str,
    most_vertices: usize,
    operation: impl Fn(&str) -> Option<O>,
) -> Result<(u32, Vec<O>), TextError<'t>> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let vertices = words.len() + 1;
    if vertices > most_vertices {
        return Err(TextError::Vertices(vertices));
    }
    let mut adjacency = 0;
    let mut operations = Vec::new();
    for (to, word) in (1..).zip(&words) {
        let (name, rest) = word.split_once('(').ok_or(TextError::Form(word))?;
        let sources = rest.strip_suffix(')').ok_or(TextError::Form(word))?;
        let is_last = to == words.len();
        if !is_last {
            operations.push(operation(name).ok_or(TextError::Operation(name))?);
        } else if name != OUTPUT {
            return Err(TextError::Output(name));
        }
        for source in sources.split(',').filter(|_| !sources.is_empty()) {
            // Numbers are read as they are written: no sign, no leading zero.
            match (0..to).find(|from| from.to_string() == source) {
                Some(from) => adjacency |= edge_bit(from, to),
                None => return Err(TextError::Source { vertex: to, source }),
            }
        }
    }
    if words.is_empty() {
        return Err(TextError::Form(text));
    }
    Ok((adjacency, operations))
}
