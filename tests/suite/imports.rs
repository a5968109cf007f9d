//! The imports between the files of a crate, read from its sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, Meta, UseTree, Visibility};

/// The path of a module or an item from the root of its crate.
type Names = Vec<String>;

/// A name in a module: defined there, or imported.
#[derive(Clone, Debug)]
enum Name {
    /// An item of the module; modules are identified by their paths instead.
    Item,
    /// An imported item, with the path as written.
    Import { path: Names, public: bool },
}

/// A module of a crate.
#[derive(Debug, Default)]
struct Module {
    file: PathBuf,
    names: BTreeMap<String, Name>,
    /// The modules imported with `*`.
    globs: Vec<Names>,
    /// The paths in its code.
    used: BTreeSet<Names>,
}

/// The modules of a crate, without tests.
pub struct Crate {
    modules: BTreeMap<Names, Module>,
}

/// An import of an item that another file defines.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The importing file.
    pub from: PathBuf,
    /// The file that defines the item.
    pub to: PathBuf,
    /// The path of the item from the root of the crate.
    pub item: String,
}

impl Crate {
    /// Reads a crate from its root file.
    pub fn read(root: &Path) -> Self {
        let mut modules = BTreeMap::new();
        let folder = root.parent().unwrap().to_path_buf();
        read_file(&mut modules, &Vec::new(), root, &folder);
        Self { modules }
    }

    /// Returns the number of modules.
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// Returns the files of the modules.
    pub fn files(&self) -> BTreeSet<&Path> {
        self.modules.values().map(|module| &*module.file).collect()
    }

    /// Returns the imports between different files, each once.
    pub fn imports(&self) -> BTreeSet<Import> {
        let mut found = BTreeSet::new();
        for (at, module) in &self.modules {
            let mut paths: Vec<Names> = module.used.iter().cloned().collect();
            for name in module.names.values() {
                if let Name::Import { path, public: false } = name {
                    paths.push(path.clone());
                }
            }
            paths.extend(module.globs.iter().cloned());
            for path in paths {
                let Some((home, item)) = self.resolve(at, &path, 0) else { continue };
                let home = &self.modules[&home].file;
                if *home != module.file {
                    let import = Import { from: module.file.clone(), to: home.clone(), item };
                    found.insert(import);
                }
            }
        }
        found
    }

    /// Resolves a path in a module to the module that defines the item, and the item's path.
    fn resolve(&self, at: &Names, path: &[String], depth: usize) -> Option<(Names, String)> {
        // Re-exports of re-exports end long before; a longer way goes round in a circle.
        if depth > 20 {
            return None;
        }
        let mut at = at.clone();
        let mut rest = path;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => at.clear(),
                "self" => {}
                "super" => {
                    at.pop()?;
                }
                name => {
                    let module = self.modules.get(&at)?;
                    let mut inner = at.clone();
                    inner.push(name.to_owned());
                    if self.modules.contains_key(&inner) {
                        at = inner;
                    } else {
                        match module.names.get(name) {
                            Some(Name::Item) => return Some((at.clone(), inner.join("::"))),
                            Some(Name::Import { path: target, .. }) => {
                                // `use self::name` of a child is handled above.
                                if *target == [name.to_owned()] {
                                    return None;
                                }
                                let mut whole = target.clone();
                                whole.extend(others.iter().cloned());
                                return self.resolve(&at, &whole, depth + 1);
                            }
                            None => {
                                for glob in &module.globs {
                                    let mut whole = glob.clone();
                                    whole.extend(rest.iter().cloned());
                                    if let Some(found) = self.resolve(&at, &whole, depth + 1) {
                                        return Some(found);
                                    }
                                }
                                return None;
                            }
                        }
                    }
                }
            }
            rest = others;
        }
        // A module itself: what is taken of it is named where it is used.
        None
    }
}

/// Returns true if an item has an attribute `cfg(test)`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let Meta::List(list) = &attribute.meta else { return false };
        list.path.is_ident("cfg") && list.tokens.to_string().starts_with("test")
    })
}

fn read_file(modules: &mut BTreeMap<Names, Module>, at: &Names, file: &Path, folder: &Path) {
    let text =
        fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let parsed =
        syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    if is_test(&parsed.attrs) {
        return;
    }
    read_items(modules, at, &parsed.items, file, folder);
}

/// Reads the items of a module; the files of its children are in `folder`.
fn read_items(
    modules: &mut BTreeMap<Names, Module>,
    at: &Names,
    items: &[Item],
    file: &Path,
    folder: &Path,
) {
    let mut module = Module { file: file.to_path_buf(), ..Module::default() };
    let mut exported = Vec::new();
    for item in items {
        match item {
            Item::Mod(child) if !is_test(&child.attrs) => {
                let name = child.ident.to_string();
                let mut path = at.clone();
                path.push(name.clone());
                let inside = folder.join(&name);
                if let Some((_, items)) = &child.content {
                    read_items(modules, &path, items, file, &inside);
                } else {
                    let flat = folder.join(format!("{name}.rs"));
                    let nested = inside.join("mod.rs");
                    read_file(modules, &path, if flat.exists() { &flat } else { &nested }, &inside);
                }
            }
            Item::Use(import) if !is_test(&import.attrs) => {
                let public = !matches!(import.vis, Visibility::Inherited);
                read_use(&mut module, &import.tree, &mut Vec::new(), public);
            }
            Item::Macro(defined) => {
                if let Some(ident) = &defined.ident {
                    module.names.insert(ident.to_string(), Name::Item);
                    if defined.attrs.iter().any(|a| a.path().is_ident("macro_export")) {
                        exported.push(ident.to_string());
                    }
                }
                Paths(&mut module.used).visit_item(item);
            }
            other => {
                if let Some((ident, attributes)) = defined(other) {
                    if is_test(attributes) {
                        continue;
                    }
                    module.names.insert(ident.to_string(), Name::Item);
                } else if let Item::Impl(implementation) = other
                    && is_test(&implementation.attrs)
                {
                    continue;
                }
                Paths(&mut module.used).visit_item(other);
            }
        }
    }
    modules.insert(at.clone(), module);
    if !at.is_empty() {
        let root = modules.entry(Vec::new()).or_default();
        for name in exported {
            let mut path = vec!["crate".to_owned()];
            path.extend(at.iter().cloned());
            path.push(name.clone());
            root.names.entry(name).or_insert(Name::Import { path, public: true });
        }
    }
}

/// Returns the name and the attributes of an item; `None` for items without a name.
fn defined(item: &Item) -> Option<(&Ident, &[Attribute])> {
    Some(match item {
        Item::Const(it) => (&it.ident, &it.attrs),
        Item::Enum(it) => (&it.ident, &it.attrs),
        Item::Fn(it) => (&it.sig.ident, &it.attrs),
        Item::Static(it) => (&it.ident, &it.attrs),
        Item::Struct(it) => (&it.ident, &it.attrs),
        Item::Trait(it) => (&it.ident, &it.attrs),
        Item::Type(it) => (&it.ident, &it.attrs),
        Item::Union(it) => (&it.ident, &it.attrs),
        _ => return None,
    })
}

fn read_use(module: &mut Module, tree: &UseTree, path: &mut Names, public: bool) {
    let mut bind = |name: String, path: Names| {
        module.names.insert(name, Name::Import { path, public });
    };
    match tree {
        UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            read_use(module, &inner.tree, path, public);
            path.pop();
        }
        UseTree::Name(name) if name.ident == "self" => {
            bind(path.last().cloned().unwrap_or_default(), path.clone());
        }
        UseTree::Name(name) => {
            let mut whole = path.clone();
            whole.push(name.ident.to_string());
            bind(name.ident.to_string(), whole);
        }
        UseTree::Rename(rename) => {
            let mut whole = path.clone();
            if rename.ident != "self" {
                whole.push(rename.ident.to_string());
            }
            let name = match rename.rename.to_string() {
                // Several traits may be brought in without a name.
                anonymous if anonymous == "_" => format!("_ {}", whole.join("::")),
                name => name,
            };
            bind(name, whole);
        }
        UseTree::Glob(_) => module.globs.push(path.clone()),
        UseTree::Group(group) => {
            for tree in &group.items {
                read_use(module, tree, path, public);
            }
        }
    }
}

/// A visitor that collects the paths in code, those in the arguments of macros included.
struct Paths<'a>(&'a mut BTreeSet<Names>);

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.insert(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !is_test(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_test(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    /// Collects the imports inside functions.
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut module = Module::default();
        read_use(&mut module, &item.tree, &mut Vec::new(), false);
        for name in module.names.into_values() {
            if let Name::Import { path, .. } = name {
                self.0.insert(path);
            }
        }
        self.0.extend(module.globs);
    }
}

impl Paths<'_> {
    /// Collects the paths in the unparsed tokens of a macro.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Names = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1
                }
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    colons = 0;
                    self.tokens(group.stream());
                }
                _ => {
                    self.end(&mut path);
                    colons = 0;
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut Names) {
        if !path.is_empty() {
            self.0.insert(std::mem::take(path));
        }
    }
}

/// Returns the import cycles: for each group of files that all reach one another, the imports inside the
/// group.
pub fn circles(imports: &BTreeSet<Import>) -> Vec<Vec<&Import>> {
    let files: BTreeSet<&Path> =
        imports.iter().flat_map(|import| [&*import.from, &*import.to]).collect();
    let mut next: BTreeMap<&Path, BTreeSet<&Path>> = BTreeMap::new();
    for import in imports {
        next.entry(&import.from).or_default().insert(&import.to);
    }
    let reached = |start: &Path| {
        let mut seen: BTreeSet<&Path> = BTreeSet::new();
        let mut waiting: Vec<&Path> = next.get(start).into_iter().flatten().copied().collect();
        while let Some(file) = waiting.pop() {
            if seen.insert(file) {
                waiting.extend(next.get(file).into_iter().flatten());
            }
        }
        seen
    };
    let reach: BTreeMap<&Path, BTreeSet<&Path>> =
        files.iter().map(|&file| (file, reached(file))).collect();
    let mut found: BTreeMap<Vec<&Path>, Vec<&Import>> = BTreeMap::new();
    for import in imports {
        let (from, to) = (&*import.from, &*import.to);
        if reach[to].contains(from) {
            let group = files.iter().copied();
            let group =
                group.filter(|&file| reach[from].contains(file) && reach[file].contains(from));
            found.entry(group.collect()).or_default().push(import);
        }
    }
    found.into_values().collect()
}
