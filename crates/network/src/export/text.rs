//! A network as a table of text.

use std::fmt::Write as _;

use crate::Network;

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
}
