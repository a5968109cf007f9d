//! A network as text and as a Graphviz drawing.

use std::fmt::Write as _;

use super::{Network, layer::Operation};

impl Network {
    /// One line a layer: name, operation, inputs, shape, parameters, multiply-accumulates; then the
    /// totals.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let width = self.layers().iter().map(|layer| layer.name.len()).max().unwrap_or(0);
        for layer in self.layers() {
            let inputs: Vec<&str> =
                layer.inputs.iter().map(|&id| self.layer(id).name.as_str()).collect();
            let _ = writeln!(
                text,
                "{:width$}  {:<28} {:>12} {:>10} {:>12}  {}",
                layer.name,
                layer.operation.label(),
                layer.output.to_string(),
                layer.parameters(),
                layer.macs(),
                inputs.join(", "),
            );
        }
        let _ = writeln!(text, "{} parameters, {} MACs", self.parameters(), self.macs());
        text
    }

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
