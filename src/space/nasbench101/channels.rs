//! Division of a cell's channels among its vertices.

use super::cell::Cell101;

/// Returns the number of channels of each vertex of a cell with the given input and output channels.
///
/// The output's channels are divided evenly among the vertices that it concatenates, without the input; the
/// first of them get one more while there is a remainder. Every other interior vertex has as many channels as
/// the widest vertex that reads it (Ying et al. 2019, section 2; the benchmark's `compute_vertex_channels`).
pub fn vertex_channels(cell: &Cell101, input: usize, output: usize) -> Vec<usize> {
    let vertices = cell.vertices();
    let last = vertices - 1;
    let mut channels = vec![0; vertices];
    channels[0] = input;
    channels[last] = output;
    let feeding: Vec<usize> = (1..last).filter(|&vertex| cell.has_edge(vertex, last)).collect();
    if feeding.is_empty() {
        return channels;
    }
    let (share, remainder) = (output / feeding.len(), output % feeding.len());
    for (index, &vertex) in feeding.iter().enumerate() {
        channels[vertex] = share + usize::from(index < remainder);
    }
    for vertex in (1..last).rev().filter(|&vertex| !cell.has_edge(vertex, last)) {
        let readers = (vertex + 1..last).filter(|&to| cell.has_edge(vertex, to));
        channels[vertex] = readers.map(|to| channels[to]).max().unwrap_or(0);
    }
    channels
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_are_divided_with_the_remainder_first() {
        let cell = |text: &str| text.parse::<Cell101>().unwrap();
        let channels = |text: &str| vertex_channels(&cell(text), 64, 128);
        assert_eq!(channels("output(0)"), [64, 128]);
        assert_eq!(channels("conv3x3(0) conv3x3(1) output(0,2)"), [64, 128, 128, 128]);
        assert_eq!(
            channels("conv1x1(0) conv1x1(0) conv1x1(0) conv1x1(0) output(1,2,3,4)"),
            [64, 32, 32, 32, 32, 128]
        );
        assert_eq!(
            channels("conv1x1(0) conv1x1(0,1) conv1x1(1) conv1x1(0) output(2,3,4)"),
            [64, 43, 43, 43, 42, 128]
        );
    }
}
