//! The input of the predictor: the graph of a cell.

use crate::space::nasbench101::{Cell101, MAX_VERTICES, Op101, vertex_channels};

/// The number of features of a vertex.
pub(super) const FEATURES: usize = 8;

/// The channels of the cell that widths are relative to.
const CHANNELS: usize = 128;

/// The vertices and edges of a cell.
#[derive(Clone, Debug)]
pub(super) struct FeatureGraph {
    pub vertices: usize,
    pub features: [[f32; FEATURES]; MAX_VERTICES],
    /// `edges[a][b]` is true if there is an edge from a to b.
    pub edges: [[bool; MAX_VERTICES]; MAX_VERTICES],
}

impl FeatureGraph {
    pub(super) fn new(cell: &Cell101) -> Self {
        let vertices = cell.vertices();
        let last = vertices - 1;
        let channels = vertex_channels(cell, CHANNELS, CHANNELS);
        let mut features = [[0.0; FEATURES]; MAX_VERTICES];
        let mut edges = [[false; MAX_VERTICES]; MAX_VERTICES];
        for vertex in 0..vertices {
            let kind = match vertex {
                0 => 3,
                _ if vertex == last => 4,
                _ => match cell.operation(vertex) {
                    Op101::Conv3x3 => 0,
                    Op101::Conv1x1 => 1,
                    Op101::MaxPool3x3 => 2,
                },
            };
            let row = &mut features[vertex];
            row[kind] = 1.0;
            row[5] = channels[vertex] as f32 / CHANNELS as f32;
            row[6] = f32::from(u8::from(vertex > 0 && cell.has_edge(0, vertex)));
            row[7] = f32::from(u8::from(vertex < last && cell.has_edge(vertex, last)));
            for (to, edge) in edges[vertex].iter_mut().enumerate().take(vertices).skip(vertex + 1) {
                *edge = cell.has_edge(vertex, to);
            }
        }
        Self { vertices, features, edges }
    }
}
