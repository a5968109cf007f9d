//! The mentions of names and texts in a script, and the functions that they are in.

use std::collections::BTreeSet;

use rhai::{ASTNode, Engine, Expr, FnCallExpr, OptimizationLevel, Position, Stmt};

use crate::script::function_spans::{Body, Offsets, bodies};

/// A kind of mention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MentionKind {
    /// A variable, or a function as a value.
    Name(String),
    /// A call of a function or method by its plain name.
    Call(String),
    /// A call or a value of a module, by the first name of its path and its own name.
    Qualified(String, String),
    /// A property of a value.
    Property(String),
    /// A text.
    Text(String),
    /// A key of a map.
    Key(String),
    /// An import by its alias, which may be empty.
    Import(String),
    /// A variable passed as a whole to a function of that name, or into a text.
    Handed(String, Option<String>),
    /// A variable whose items are read by computed keys.
    Computed(String),
}

/// A mention and its byte offset.
#[derive(Clone, Debug)]
pub(super) struct Mention {
    pub(super) kind: MentionKind,
    pub(super) byte: usize,
}

/// The mentions of a text.
pub(super) struct Uses {
    pub(super) label: String,
    text: String,
    bodies: Vec<Body>,
    pub(super) mentions: Vec<Mention>,
}

impl Uses {
    /// Reads a text; `None` if it does not parse.
    pub(super) fn read(label: &str, text: &str) -> Option<Self> {
        let mut engine = Engine::new_raw();
        // What an optimizer takes away is mentioned all the same.
        engine.set_optimization_level(OptimizationLevel::None);
        let ast = engine.compile(text).ok()?;
        let places = Offsets::of(text);
        let bodies = bodies(&ast, &places);
        let mut mentions = Vec::new();
        ast.walk(&mut |path: &[ASTNode<'_>]| {
            if let Some(node) = path.last() {
                mention(node, &mut |kind, position| {
                    if let Some(byte) = places.byte(position) {
                        mentions.push(Mention { kind, byte });
                    }
                });
            }
            true
        });
        Some(Self { label: label.to_owned(), text: text.to_owned(), bodies, mentions })
    }

    /// Returns the line and column of a byte, both from 1.
    pub(super) fn line_column(&self, byte: usize) -> (usize, usize) {
        Offsets::of(&self.text).line_column(byte)
    }

    /// Yields the names of the functions, in the order of the text.
    pub(super) fn functions(&self) -> impl Iterator<Item = &str> {
        let mut bodies: Vec<&Body> = self.bodies.iter().collect();
        bodies.sort_by_key(|body| body.start);
        bodies.into_iter().map(|body| body.name.as_str())
    }

    /// Yields the names of a function's parameters.
    pub(super) fn parameters(&self, function: &str) -> impl Iterator<Item = &str> {
        let named = self.bodies.iter().filter(move |body| body.name == function);
        named.flat_map(|body| body.parameters.iter().map(String::as_str))
    }

    /// Returns the byte at which a function's name is defined.
    pub(super) fn named(&self, function: &str) -> Option<usize> {
        let body = self.bodies.iter().find(|body| body.name == function)?;
        let head = self.text[..body.start].rfind("fn ")?;
        Some(head + self.text[head..body.start].find(function)?)
    }

    /// Returns the function whose body contains a byte.
    pub(super) fn function_at(&self, byte: usize) -> Option<&str> {
        let around = self.bodies.iter().find(|body| (body.start..body.end).contains(&byte));
        around.map(|body| body.name.as_str())
    }

    /// Returns the names of all functions that `roots` lead to, themselves included.
    ///
    /// Functions of one name count as one in all texts, and mentions outside of functions count as reached.
    pub(super) fn reached(all: &[Self], roots: BTreeSet<String>) -> BTreeSet<String> {
        let known: BTreeSet<&str> = all.iter().flat_map(Self::functions).collect();
        let mut reached = roots;
        loop {
            let mut new = BTreeSet::new();
            for uses in all {
                for mention in &uses.mentions {
                    let is_reached =
                        uses.function_at(mention.byte).is_none_or(|name| reached.contains(name));
                    let (MentionKind::Call(name)
                    | MentionKind::Name(name)
                    | MentionKind::Text(name)
                    | MentionKind::Qualified(_, name)) = &mention.kind
                    else {
                        continue;
                    };
                    if is_reached && known.contains(name.as_str()) && !reached.contains(name) {
                        new.insert(name.clone());
                    }
                }
            }
            if new.is_empty() {
                return reached;
            }
            reached.extend(new);
        }
    }
}

/// Reports the mentions of a single node.
fn mention(node: &ASTNode<'_>, tell: &mut dyn FnMut(MentionKind, Position)) {
    match node {
        ASTNode::Stmt(Stmt::Import(import, position)) => {
            tell(MentionKind::Import(import.1.name.to_string()), *position);
        }
        ASTNode::Stmt(Stmt::FnCall(call, position)) => of_call(call, *position, tell),
        ASTNode::Expr(expression) => match expression {
            Expr::FnCall(call, position) | Expr::MethodCall(call, position) => {
                of_call(call, *position, tell);
            }
            Expr::Variable(variable, _, position) => {
                let name = variable.1.to_string();
                let kind = match variable.2.is_empty() {
                    true => MentionKind::Name(name),
                    false => MentionKind::Qualified(variable.2.root().to_owned(), name),
                };
                tell(kind, *position);
            }
            Expr::Property(property, position) => {
                tell(MentionKind::Property(property.2.to_string()), *position);
            }
            Expr::StringConstant(text, position) => {
                tell(MentionKind::Text(text.to_string()), *position)
            }
            Expr::Map(map, _) => {
                for (key, _) in &map.0 {
                    tell(MentionKind::Key(key.name.to_string()), key.pos);
                }
            }
            Expr::InterpolatedString(parts, _) => {
                parts.iter().for_each(|part| handed(part, None, tell))
            }
            Expr::Index(sides, _, position) if !matches!(sides.rhs, Expr::StringConstant(..)) => {
                if let Some(variable) = plain_variable(&sides.lhs) {
                    tell(MentionKind::Computed(variable), *position);
                }
            }
            _ => {}
        },
        _ => {}
    }
}

fn of_call(call: &FnCallExpr, position: Position, tell: &mut dyn FnMut(MentionKind, Position)) {
    let name = call.name.to_string();
    // An operator's operands are no points; a closure only keeps what its body reads.
    if !call.is_operator_call() && name != "curry" {
        call.args.iter().for_each(|argument| handed(argument, Some(&name), tell));
    }
    if call.namespace.is_empty() {
        if !call.is_operator_call() {
            tell(MentionKind::Call(name), position);
        }
    } else {
        tell(MentionKind::Qualified(call.namespace.root().to_owned(), name), position);
    }
}

fn handed(expression: &Expr, to: Option<&str>, tell: &mut dyn FnMut(MentionKind, Position)) {
    match expression {
        Expr::Variable(_, _, position) => {
            if let Some(variable) = plain_variable(expression) {
                tell(MentionKind::Handed(variable, to.map(str::to_owned)), *position);
            }
        }
        // What stands in a text is a block.
        Expr::Stmt(block) => {
            if let [Stmt::Expr(only)] = block.statements() {
                handed(only, to, tell);
            }
        }
        _ => {}
    }
}

fn plain_variable(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Variable(variable, _, _) if variable.2.is_empty() => Some(variable.1.to_string()),
        _ => None,
    }
}
