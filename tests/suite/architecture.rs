//! The order of the library's modules, and circles of imports between files, read from the sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};

use crate::imports::{Crate, Import, circles};

/// The modules of the library, each of which imports only from those before it.
const ORDER: [&str; 17] = [
    "util", "metrics", "pareto", "space", "network", "accel", "train", "accuracy", "search",
    "store", "run", "sweep", "study", "report", "script", "session", "query",
];

/// The root of each crate.
const CRATES: [&str; 4] =
    ["src/lib.rs", "src/main.rs", "crates/kernels/src/lib.rs", "crates/network/src/lib.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Formats an import for a message.
fn shown(import: &Import) -> String {
    let Import { from, to, item } = import;
    let short = |file: &PathBuf| file.strip_prefix(root()).unwrap_or(file).display().to_string();
    format!("{} imports `{item}` of {}", short(from), short(to))
}

#[test]
fn modules_import_from_those_before_them() {
    let place = |file: &Path| {
        let module = file.strip_prefix(root().join("src")).ok()?.components().next()?;
        ORDER.iter().position(|known| Some(*known) == module.as_os_str().to_str())
    };
    let imports = Crate::read(&root().join("src/lib.rs")).imports();
    let upward = imports.iter().filter(|import| place(&import.from) < place(&import.to));
    let upward: Vec<String> = upward.filter(|i| place(&i.from).is_some()).map(shown).collect();
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn no_files_import_in_a_circle() {
    for (file, least) in CRATES.into_iter().zip([350, 50, 30, 8]) {
        let read = Crate::read(&root().join(file));
        assert!(read.len() >= least, "{file} has {} modules", read.len());
        let imports = read.imports();
        let circles: Vec<Vec<String>> = circles(&imports)
            .into_iter()
            .map(|circle| circle.into_iter().map(shown).collect())
            .collect();
        assert!(circles.is_empty(), "circles of imports:\n{circles:#?}");
    }
}

/// So that another engine could take its place.
#[test]
fn the_database_is_named_in_few_files() {
    const HOME: [&str; 6] = [
        "bytes.rs",
        "engine.rs",
        "engine_error.rs",
        "disk/database.rs",
        "disk/open_database.rs",
        "image",
    ];
    fn names(tokens: TokenStream) -> bool {
        tokens.into_iter().any(|token| match token {
            TokenTree::Group(group) => names(group.stream()),
            TokenTree::Ident(ident) => ident == "sled",
            _ => false,
        })
    }
    let store = root().join("src/store");
    let mut named = 0;
    for file in Crate::read(&root().join("src/lib.rs")).files() {
        let tokens: TokenStream = fs::read_to_string(file).unwrap().parse().unwrap();
        if names(tokens) {
            named += 1;
            let is_home = HOME.iter().any(|home| file.starts_with(store.join(home)));
            assert!(is_home, "{} names sled", file.display());
        }
    }
    assert!(named >= 5, "{named}");
}

/// The pages for readers of the code name files by their full paths.
#[test]
fn the_files_that_pages_name_exist() {
    const FOLDERS: [&str; 7] =
        ["src/", "crates/", "tests/", "benches/", "scripts/", "experiments/", "docs/"];
    let mut named = 0;
    for page in ["CONTRIBUTING.md", "docs/architecture.md", "docs/adding.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        for name in text.split('`').skip(1).step_by(2) {
            // NAME stands for a file that is still to be written.
            let is_path = FOLDERS.iter().any(|folder| name.starts_with(folder))
                && !name
                    .contains(|c: char| c.is_whitespace() || c.is_ascii_uppercase() || c == '{');
            if is_path {
                named += 1;
                assert!(root().join(name).exists(), "{page} names `{name}`");
            }
        }
    }
    assert!(named >= 80, "{named}");
}

#[test]
fn every_module_of_the_library_has_a_place_in_the_order() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut declared: Vec<&str> = declared.collect();
    declared.sort_unstable();
    let mut known = ORDER.to_vec();
    known.sort_unstable();
    assert_eq!(declared, known);
}

/// Checks imports by `use`, by paths and in macros, also through re-exports.
#[test]
fn imports_are_found_where_they_are_defined() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a;\nmod b;\nmod c;\n");
    write("a.rs", "use crate::b::Inner;\npub struct A(Inner);\npub const LONG: usize = 3;\n");
    write("b/mod.rs", "mod inner;\nmod other;\npub use inner::Inner;\n");
    write(
        "b/inner.rs",
        "pub struct Inner;\nfn f() -> String { format!(\"{}\", crate::a::LONG) }\n\
         #[cfg(test)]\nmod tests { use crate::c::X; }\n",
    );
    write("b/other.rs", "use super::Inner;\nfn g(_: Inner) -> crate::c::X { crate::c::X }\n");
    write("c.rs", "pub struct X;\n");
    let imports = Crate::read(&folder.path().join("lib.rs")).imports();
    let import = |from: &str, to: &str, item: &str| Import {
        from: folder.path().join(from),
        to: folder.path().join(to),
        item: item.to_owned(),
    };
    let there = import("a.rs", "b/inner.rs", "b::inner::Inner");
    let back = import("b/inner.rs", "a.rs", "a::LONG");
    let expected = BTreeSet::from([
        there.clone(),
        back.clone(),
        import("b/other.rs", "b/inner.rs", "b::inner::Inner"),
        import("b/other.rs", "c.rs", "c::X"),
    ]);
    assert_eq!(imports, expected);
    assert_eq!(circles(&imports), [[&there, &back]]);
}
