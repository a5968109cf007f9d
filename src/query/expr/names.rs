//! The names that an expression mentions.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};

/// The variables and functions that an expression mentions.
#[derive(Clone, Debug, Default)]
pub(super) struct Mentioned {
    /// The variables by name, each with the position of its first mention.
    pub variables: BTreeMap<String, Position>,
    /// The entries that are read from variables (`point.hw`), each with the position of its first mention.
    entries: BTreeMap<String, BTreeMap<String, Position>>,
    /// Variables that are used as a whole.
    whole: BTreeSet<String>,
    /// The functions that are called, except operators.
    pub functions: BTreeSet<String>,
}

impl Mentioned {
    /// Collects the names in a compiled expression.
    ///
    /// An expression declares no variables, and its closures get what they capture as arguments. So every
    /// variable outside the closures' bodies is one that the services must provide.
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

    /// The entries that are read from a map, with their positions; `None` if it is used as a whole.
    pub(super) fn entries(&self, variable: &str) -> Option<&BTreeMap<String, Position>> {
        if self.whole.contains(variable) { None } else { self.entries.get(variable) }
    }
}

/// The entry that an expression reads from a variable, if it does nothing else with it.
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
