//! Conditions under which something is decided, and which of them hold.

use std::sync::Arc;

use super::param::Field;
use super::rule::Rule;

/// A condition under which something is decided: its own, and that of what it is within.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// The names that lead to what is decided.
    pub(super) what: String,
    pub(super) within: Option<usize>,
    pub(super) rule: Arc<Rule>,
}

/// Options with the conditions that hold for them.
pub(super) struct Decided<'a> {
    pub(super) options: &'a [u16],
    pub(super) open: Vec<bool>,
}

impl Decided<'_> {
    /// Whether what is under a condition is decided.
    pub(super) fn is(&self, gate: Option<usize>) -> bool {
        gate.is_none_or(|gate| self.open[gate])
    }

    /// The option of a choice of a field, if the field is decided.
    pub(super) fn option(&self, fields: &[Field], choice: usize) -> Option<u16> {
        // Fields are in the order of their choices.
        let after = fields.partition_point(|field| field.range.start <= choice);
        let field = fields.get(after.checked_sub(1)?)?;
        self.is(field.gate).then(|| self.options[choice])
    }
}

/// Which conditions hold, found out one field after the other.
pub(super) struct Gates<'a> {
    gates: &'a [Gate],
    open: Vec<Option<bool>>,
}

impl<'a> Gates<'a> {
    pub(super) fn new(gates: &'a [Gate]) -> Self {
        Self { gates, open: vec![None; gates.len()] }
    }

    /// Whether what is under a condition is decided, by the options of the choices before it.
    pub(super) fn is_open(&mut self, gate: Option<usize>, before: &[Option<u16>]) -> bool {
        let Some(gate) = gate else { return true };
        if let Some(known) = self.open[gate] {
            return known;
        }
        let Gate { within, rule, .. } = &self.gates[gate];
        let is = self.is_open(*within, before) && rule.holds(|choice| before[choice]);
        self.open[gate] = Some(is);
        is
    }

    pub(super) fn finish(self) -> Vec<bool> {
        self.open.into_iter().map(|open| open == Some(true)).collect()
    }
}
