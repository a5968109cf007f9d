//! What an expression mentions.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

/// The variables and functions that an expression mentions.
#[derive(Clone, Debug, Default)]
pub(super) struct Mentioned {
    /// Each variable, in the order of the names, with the place where it comes first.
    pub variables: BTreeMap<String, Position>,
    /// For variables of which only entries are asked (`point.hw`), these and where they come first.
    entries: BTreeMap<String, BTreeMap<String, Position>>,
    /// Variables that are used as a whole.
    whole: BTreeSet<String>,
    /// Functions that are called, operators aside.
    pub functions: BTreeSet<String>,
}

impl Mentioned {
    /// Looks through a compiled expression.
    ///
    /// An expression has no variables of its own, and what its closures capture it hands to them as
    /// arguments: every variable outside the closures' bodies is one that the host must give.
    pub(super) fn of(ast: &AST) -> Self {
        let mut found = Self::default();
        for statement in ast.statements() {
            statement.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
                found.note(path);
                true
            });
        }
        found
    }

    fn note(&mut self, path: &[ASTNode<'_>]) {
        let (above, expression) = match path {
            [.., ASTNode::Stmt(Stmt::FnCall(call, _))] => return self.note_call(call),
            [above @ .., ASTNode::Expr(expression)] => (above, expression),
            _ => return,
        };
        match expression {
            Expr::Variable(variable, _, position) if variable.2.is_empty() => {
                let name = variable.1.to_string();
                self.variables.entry(name.clone()).or_insert(*position);
                match entry_of(expression, above.last()) {
                    Some((entry, position)) => {
                        let entries = self.entries.entry(name).or_default();
                        entries.entry(entry).or_insert(position);
                    }
                    None => {
                        self.whole.insert(name);
                    }
                }
            }
            Expr::FnCall(call, _) | Expr::MethodCall(call, _) => self.note_call(call),
            _ => {}
        }
    }

    fn note_call(&mut self, call: &FnCallExpr) {
        if !call.is_operator_call() && !call.is_qualified() {
            self.functions.insert(call.name.to_string());
        }
    }

    /// The entries that are asked of a map, if it is not used as a whole, with their places.
    pub(super) fn entries(&self, variable: &str) -> Option<&BTreeMap<String, Position>> {
        if self.whole.contains(variable) { None } else { self.entries.get(variable) }
    }
}

/// The entry that an expression asks of a variable, if that is all it does with it.
fn entry_of(variable: &Expr, above: Option<&ASTNode<'_>>) -> Option<(String, Position)> {
    let Some(ASTNode::Expr(Expr::Dot(dot, _, _))) = above else { return None };
    if !std::ptr::eq(&raw const dot.lhs, variable) {
        return None;
    }
    let property = match &dot.rhs {
        Expr::Dot(inner, _, _) | Expr::Index(inner, _, _) => &inner.lhs,
        direct => direct,
    };
    match property {
        Expr::Property(property, position) => Some((property.2.to_string(), *position)),
        _ => None,
    }
}
