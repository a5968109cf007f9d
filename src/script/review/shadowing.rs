//! Names that would hide native modules.

use rhai::{AST, ASTNode, Engine, Position, Stmt};

use crate::script::contract::check::ARGS;
use crate::script::diagnostic::modules;

/// Refuses an import under the name of a native module: its values would pass for the module's.
pub(in crate::script) fn refuse_hidden(
    engine: &Engine,
    ast: &AST,
) -> Result<(), (String, Position)> {
    let mut aliases = Vec::new();
    let mut note = |path: &[ASTNode<'_>]| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && !import.1.name.is_empty()
        {
            aliases.push((import.1.name.to_string(), import.1.pos));
        }
        true
    };
    ast.walk(&mut note);
    if aliases.is_empty() {
        return Ok(());
    }
    let native = modules(engine);
    let hides = |alias: &String| alias == ARGS || native.contains(alias);
    match aliases.into_iter().find(|(alias, _)| hides(alias)) {
        None => Ok(()),
        Some((alias, position)) => {
            let reason = format!(
                "`{alias}` is a native module; import under another name, such as `own_{alias}`"
            );
            Err((reason, position))
        }
    }
}
