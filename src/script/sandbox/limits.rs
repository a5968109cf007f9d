//! Resource limits of scripts.

use serde::{Deserialize, Serialize};

/// Resource limits of one call from the services into a script; zero means no limit for `seconds` only.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Operations, including those of functions that native functions call.
    pub operations: u64,
    /// Nested calls of script functions.
    pub call_depth: usize,
    /// Nesting of expressions, at parse time.
    pub expression_depth: usize,
    /// Bytes of a string.
    pub string_bytes: usize,
    /// Items of an array, including those of arrays and maps in it; bytes of a blob.
    pub array_items: usize,
    /// Entries of a map, including those of maps and arrays in it.
    pub map_entries: usize,
    /// Modules that a script and its imports may load.
    pub modules: usize,
    /// Variables that exist at once.
    pub variables: usize,
    /// Functions that a script or a module may define.
    pub functions: usize,
    /// MiB of memory that a call may hold; the work of native functions such as training does not count.
    pub memory_mb: u64,
    /// Wall-clock seconds, a guard against calls that are slow in native code.
    pub seconds: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            operations: 10_000_000,
            call_depth: 64,
            expression_depth: 64,
            string_bytes: 1 << 20,
            array_items: 100_000,
            map_entries: 10_000,
            modules: 64,
            variables: 1_000,
            functions: 1_000,
            memory_mb: 256,
            seconds: 60.0,
        }
    }
}

/// The most bytes of stack for a level of nested arrays or maps: comparing and printing need some 2,400,
/// freeing 200.
const LEVEL: usize = 3_400;

/// The most bytes of stack for a nested call, for each level of the expression in it.
const FRAME: usize = 4_096;

impl Limits {
    /// Returns the counts, each with the largest value that may be set.
    pub(in crate::script) const fn counts(&self) -> [(&'static str, u64, u64); 10] {
        [
            ("operations", self.operations, u64::MAX / 2),
            ("call_depth", self.call_depth as u64, 10_000),
            ("expression_depth", self.expression_depth as u64, 1_000),
            ("string_bytes", self.string_bytes as u64, 1 << 30),
            ("array_items", self.array_items as u64, 5_000_000),
            ("map_entries", self.map_entries as u64, 1_000_000),
            ("modules", self.modules as u64, 10_000),
            ("variables", self.variables as u64, 1_000_000),
            ("functions", self.functions as u64, 100_000),
            ("memory_mb", self.memory_mb, 1 << 15),
        ]
    }

    /// Returns the memory that a call may hold, in bytes.
    pub(in crate::script) const fn memory_bytes(&self) -> i64 {
        self.memory_mb.cast_signed() << 20
    }

    /// Returns the bytes of stack reserved for work that no limit interrupts.
    ///
    /// Values are copied, compared, printed and freed by recursion. Closures that have captured one another
    /// need less stack than half their memory.
    pub(in crate::script) const fn stack_for_values(&self) -> usize {
        (self.array_items + self.map_entries) * LEVEL + (self.memory_mb as usize) * (1 << 19)
    }

    /// Returns the bytes of stack that a call needs.
    pub(in crate::script) fn stack_bytes(&self) -> usize {
        let frames = self.call_depth * self.expression_depth * FRAME;
        self.stack_for_values() + frames.clamp(16 << 20, 256 << 20)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::util::deep_stack::STACK_BYTES;

    #[test]
    fn the_stacks_of_threads_suffice_for_the_default_limits() {
        // What the services has used before it calls a script is far less.
        assert!(Limits::default().stack_bytes() + (8 << 20) <= STACK_BYTES);
    }
}
