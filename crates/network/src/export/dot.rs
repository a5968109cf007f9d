//! A network as a Graphviz drawing.

use std::fmt::Write as _;

use crate::{Network, Operation};

impl Network {
    /// The graph in Graphviz's DOT language.
    pub fn to_graphviz(&self) -> String {
        let mut dot =
            String::from("digraph network {\n  rankdir=TB;\n  node [shape=box, fontsize=10];\n");
        for (index, layer) in self.layers().iter().enumerate() {
            let shape = match layer.operation {
                Operation::Add | Operation::Concatenate => ", shape=ellipse",
                _ => "",
            };
            let _ = writeln!(
                dot,
                "  n{index} [label=\"{}\\n{}\\n{}\"{shape}];",
                layer.name.replace('\\', "\\\\").replace('"', "\\\""),
                layer.operation.label(),
                layer.output
            );
        }
        for (index, layer) in self.layers().iter().enumerate() {
            for input in &layer.inputs {
                let _ = writeln!(dot, "  n{} -> n{index};", input.index());
            }
        }
        dot.push_str("}\n");
        dot
    }
}
