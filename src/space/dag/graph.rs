//! Edges as bits, pruning, and the topological orders of a graph.

/// The maximum number of vertices of a graph.
pub(in crate::space) const MAX_VERTICES: usize = 8;

/// The bit of the edge from `from` to the later vertex `to`: number `from + to (to - 1) / 2`.
pub(in crate::space) const fn edge_bit(from: usize, to: usize) -> u32 {
    1 << (from + to * (to - 1) / 2)
}

/// Returns true if the adjacency bits include the edge from `from` to the later vertex `to`.
pub(in crate::space) const fn has_edge(adjacency: u32, from: usize, to: usize) -> bool {
    adjacency & edge_bit(from, to) != 0
}

/// Prunes the vertices that are on no path from the first to the last.
///
/// Returns the old numbers of the remaining vertices and the adjacency bits between them; `None` if no path
/// leads to the last vertex.
pub(in crate::space) fn pruned(adjacency: u32, vertices: usize) -> Option<(Vec<usize>, u32)> {
    let has = |from, to| has_edge(adjacency, from, to);
    let mut fed = [false; MAX_VERTICES];
    let mut used = [false; MAX_VERTICES];
    fed[0] = true;
    used[vertices - 1] = true;
    for to in 1..vertices {
        fed[to] = (0..to).any(|from| fed[from] && has(from, to));
    }
    for from in (0..vertices - 1).rev() {
        used[from] = (from + 1..vertices).any(|to| used[to] && has(from, to));
    }
    if !fed[vertices - 1] {
        return None;
    }
    let live: Vec<usize> = (0..vertices).filter(|&vertex| fed[vertex] && used[vertex]).collect();
    let mut bits = 0;
    for (to, &old_to) in live.iter().enumerate() {
        for (from, &old_from) in live[..to].iter().enumerate() {
            if has(old_from, old_to) {
                bits |= edge_bit(from, to);
            }
        }
    }
    Some((live, bits))
}

/// A graph as the set of sources of each vertex.
pub(in crate::space) struct Graph {
    vertices: usize,
    sources: [u8; MAX_VERTICES],
}

/// A permutation of vertices: the old number at each new place.
pub(in crate::space) type VertexOrder = [usize; MAX_VERTICES];

impl Graph {
    /// Creates a graph from its adjacency bits.
    pub(in crate::space) fn new(adjacency: u32, vertices: usize) -> Self {
        let mut sources = [0; MAX_VERTICES];
        for (to, sources) in sources.iter_mut().enumerate().take(vertices).skip(1) {
            for from in 0..to {
                if has_edge(adjacency, from, to) {
                    *sources |= 1 << from;
                }
            }
        }
        Self { vertices, sources }
    }

    /// Returns true if every vertex but the input has a source, and every vertex but the output has a target.
    ///
    /// In a topological order, every vertex is then on a path from input to output.
    pub(in crate::space) fn is_full(&self) -> bool {
        let read = self.sources[..self.vertices].iter().fold(0, |all, sources| all | sources);
        read == (1 << (self.vertices - 1)) - 1
            && self.sources[1..self.vertices].iter().all(|&sources| sources != 0)
    }

    /// Calls `visit` with every topological order that starts with the input and ends with the output, and
    /// the adjacency bits in that order, until it returns false.
    pub(in crate::space) fn orders(&self, visit: &mut impl FnMut(&VertexOrder, u32) -> bool) {
        let mut order = [0; MAX_VERTICES];
        self.extend(&mut order, 1, 1, 0, visit);
    }

    fn extend(
        &self,
        order: &mut VertexOrder,
        placed: usize,
        placed_set: u8,
        adjacency: u32,
        visit: &mut impl FnMut(&VertexOrder, u32) -> bool,
    ) -> bool {
        if placed == self.vertices {
            return visit(order, adjacency);
        }
        let output = self.vertices - 1;
        let candidates = if placed == output { output..output + 1 } else { 1..output };
        for vertex in candidates {
            let sources = self.sources[vertex];
            if placed_set & 1 << vertex != 0 || sources & !placed_set != 0 {
                continue;
            }
            order[placed] = vertex;
            let incoming = (0..placed)
                .filter(|&from| sources & 1 << order[from] != 0)
                .fold(0, |bits, from| bits | edge_bit(from, placed));
            let set = placed_set | 1 << vertex;
            if !self.extend(order, placed + 1, set, adjacency | incoming, visit) {
                return false;
            }
        }
        true
    }

    /// The orders that map a graph to itself; empty if an order gives smaller adjacency bits. Every vertex
    /// must be on a path from input to output.
    pub(in crate::space) fn symmetries(adjacency: u32, vertices: usize) -> Vec<VertexOrder> {
        let mut symmetries = Vec::new();
        Self::new(adjacency, vertices).orders(&mut |order, bits| {
            if bits < adjacency {
                symmetries.clear();
                return false;
            }
            if bits == adjacency {
                symmetries.push(*order);
            }
            true
        });
        symmetries
    }
}
