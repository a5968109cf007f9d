//! A catalog of the functions of a script's engine.

use std::collections::BTreeMap;
use std::io;

use rhai::Engine;
use serde::Deserialize;

use crate::script::contract::entry_points::{ENTRY_POINTS, EntryPoint};

/// The functions that scripts define and call.
#[derive(Debug)]
pub(super) struct FunctionCatalog {
    /// The functions that scripts define.
    pub(super) roles: Vec<Function>,
    /// The global functions that belong to no type.
    pub(super) globals: Vec<Function>,
    /// The modules, by name.
    pub(super) modules: Vec<FunctionGroup>,
    /// The types, by name, with their properties, methods and operators.
    pub(super) types: Vec<FunctionGroup>,
}

/// A module or a type.
#[derive(Debug)]
pub(super) struct FunctionGroup {
    pub(super) name: String,
    pub(super) doc: String,
    pub(super) functions: Vec<Function>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum GroupKind {
    /// A function or a method.
    Function,
    /// The property `value.name`.
    Property,
    /// The entry `value[key]`.
    Index,
    Operator,
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) kind: GroupKind,
    /// The name, qualified by the module.
    pub(super) name: String,
    pub(super) parameters: Vec<FunctionParameter>,
    /// The type of the result; empty if there is none.
    pub(super) result: String,
    /// The documentation, in Markdown.
    pub(super) doc: String,
}

#[derive(Debug)]
pub(super) struct FunctionParameter {
    pub(super) name: String,
    pub(super) kind: String,
}

/// The engine's description of its functions.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    #[serde(default)]
    modules: BTreeMap<String, Account>,
    #[serde(default)]
    custom_types: Vec<AccountType>,
    #[serde(default)]
    functions: Vec<AccountFunction>,
    #[serde(default)]
    doc: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountType {
    display_name: String,
    #[serde(default)]
    doc_comments: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountFunction {
    name: String,
    num_params: usize,
    #[serde(default)]
    params: Vec<AccountParameter>,
    #[serde(default)]
    return_type: String,
    #[serde(default)]
    doc_comments: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct AccountParameter {
    name: Option<String>,
    r#type: Option<String>,
}

impl FunctionCatalog {
    /// Reads the functions of an engine, without the language's own.
    ///
    /// # Errors
    /// The engine's description of its functions cannot be read.
    pub(super) fn of(engine: &Engine) -> io::Result<Self> {
        let account = Account::of(engine, false)?;
        let mut types: Vec<FunctionGroup> = account
            .custom_types
            .into_iter()
            .map(|kind| FunctionGroup {
                name: kind.display_name,
                doc: plain(&kind.doc_comments),
                functions: Vec::new(),
            })
            .collect();
        types.sort_by(|a, b| a.name.cmp(&b.name));
        // What stands in the place of the language's own functions is described with them.
        let language = names(&Engine::new())?;
        let is_language =
            |function: &Function| function.doc.is_empty() && language.contains(&function.name);
        let mut globals = Vec::new();
        for function in functions("", account.functions) {
            let of = |group: &&mut FunctionGroup| {
                function.parameters.first().is_some_and(|first| first.kind == group.name)
            };
            match types.iter_mut().find(of) {
                Some(group) => group.functions.push(function),
                None if is_language(&function) => {}
                None => globals.push(function),
            }
        }
        let modules = account
            .modules
            .into_iter()
            .map(|(name, module)| {
                let functions = functions(&name, module.functions);
                FunctionGroup { doc: module.doc, functions, name }
            })
            .collect();
        Ok(Self { roles: ENTRY_POINTS.iter().map(role).collect(), globals, modules, types })
    }

    /// Yields every function that scripts define or call.
    #[cfg(test)]
    pub(super) fn functions(&self) -> impl Iterator<Item = &Function> {
        let groups = self.modules.iter().chain(&self.types);
        self.roles.iter().chain(&self.globals).chain(groups.flat_map(|group| &group.functions))
    }
}

/// Returns the sorted names of an engine's functions and properties, the language's own included.
///
/// # Errors
/// As [`FunctionCatalog::of`].
pub(super) fn names(engine: &Engine) -> io::Result<Vec<String>> {
    // What needs a clock cannot be called by anybody, for nothing gives one.
    let clocked = |kind: &str| kind.contains("Instant");
    let functions = Account::of(engine, true)?.functions.into_iter();
    let mut names: Vec<String> = functions
        .filter(|f| {
            let parameters = f.params.iter().filter_map(|parameter| parameter.r#type.as_deref());
            !parameters.chain([f.return_type.as_str()]).any(clocked)
        })
        .map(|f| f.name.strip_prefix("get$").unwrap_or(&f.name).to_owned())
        .filter(|name| is_word(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

impl Account {
    fn of(engine: &Engine, with_language: bool) -> io::Result<Self> {
        Ok(serde_json::from_str(&engine.gen_fn_metadata_to_json(with_language)?)?)
    }
}

/// Returns functions sorted by kind, name and parameters.
fn functions(module: &str, account: Vec<AccountFunction>) -> Vec<Function> {
    let mut functions: Vec<Function> =
        account.into_iter().map(|function| Function::of(module, function)).collect();
    functions.sort_by_cached_key(|function| {
        let kinds: Vec<String> = function.parameters.iter().map(|p| p.kind.clone()).collect();
        (function.kind, function.name.clone(), kinds.len(), kinds)
    });
    functions
}

impl Function {
    fn of(module: &str, account: AccountFunction) -> Self {
        let AccountFunction { name, num_params, params, return_type, doc_comments } = account;
        let (kind, name) = match name.strip_prefix("get$") {
            Some(property) => (GroupKind::Property, property.to_owned()),
            None if name.starts_with("index$") => (GroupKind::Index, name),
            None if !is_word(&name) => (GroupKind::Operator, name),
            None if module.is_empty() => (GroupKind::Function, name),
            None => (GroupKind::Function, format!("{module}::{name}")),
        };
        let mut parameters: Vec<FunctionParameter> = params
            .into_iter()
            .map(|parameter| FunctionParameter {
                name: parameter.name.unwrap_or_else(|| "_".to_owned()),
                kind: parameter.r#type.unwrap_or_default(),
            })
            .collect();
        parameters.truncate(num_params);
        Self { kind, name, parameters, result: return_type, doc: plain(&doc_comments) }
    }

    /// Returns the examples: the blocks of Rhai in the documentation.
    #[cfg(test)]
    pub(super) fn examples(&self) -> Vec<String> {
        let blocks = self.doc.split("```rhai\n").skip(1);
        blocks.filter_map(|block| Some(block.split_once("```")?.0.to_owned())).collect()
    }
}

fn role(role: &EntryPoint) -> Function {
    let parameters = role.typed.iter().filter_map(|typed| typed.split_once(": "));
    Function {
        kind: GroupKind::Function,
        name: role.name.to_owned(),
        parameters: parameters
            .map(|(name, kind)| FunctionParameter { name: name.to_owned(), kind: kind.to_owned() })
            .collect(),
        result: role.result.to_owned(),
        doc: trimmed(role.docs.iter().copied()),
    }
}

fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Returns comments without their slashes.
fn plain(comments: &[String]) -> String {
    let lines = comments.iter().flat_map(|comment| comment.lines());
    trimmed(lines.map(|line| line.trim_start().trim_start_matches('/')))
}

/// Joins lines of documentation without the space that each begins with.
fn trimmed<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<&str> = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect();
    lines.join("\n")
}
