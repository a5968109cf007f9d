//! The order of the library's modules, read from the sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the library, each of which imports from those before it alone.
const ORDER: [&str; 17] = [
    "util", "metrics", "space", "network", "accel", "train", "accuracy", "search", "pareto",
    "store", "run", "sweep", "study", "report", "script", "session", "query",
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules at the root of the crate that a line of code names.
fn named(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.split("crate::").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        &rest[..end]
    })
}

#[test]
fn modules_import_from_those_before_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    let mut upward = Vec::new();
    let mut read = 0;
    for (at, module) in ORDER.iter().enumerate() {
        let mut files = Vec::new();
        sources(&root.join(module), &mut files);
        files.retain(|file| !file.to_string_lossy().ends_with("tests.rs"));
        read += files.len();
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            // Tests, which come last, may use whatever they need.
            let code =
                text.lines().enumerate().take_while(|(_, line)| !line.ends_with("mod tests {"));
            for (number, line) in code {
                for name in named(line).filter(|name| place(name).is_some_and(|other| other > at)) {
                    let file = file.strip_prefix(&root).unwrap().display();
                    upward.push(format!(
                        "{file}:{} imports from `{name}`, which is above it",
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(read > 300, "{read} files");
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn every_module_of_the_library_has_a_place_in_the_order() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut declared: Vec<&str> = declared.collect();
    declared.sort_unstable();
    let mut known = ORDER.to_vec();
    known.sort_unstable();
    assert_eq!(declared, known);
}
