//! The recipes of the cookbook: each is checked and run, and the page lists them all.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::data_folder::data_dir;
use crate::support::{Place, project};

/// Returns the recipes with their names, sorted by name.
fn recipes() -> Vec<(String, PathBuf)> {
    let mut recipes: Vec<(String, PathBuf)> = fs::read_dir(project().join("experiments/cookbook"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rhai"))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .collect();
    recipes.sort();
    recipes
}

#[test]
fn the_page_lists_every_recipe() {
    let page = fs::read_to_string(project().join("docs/cookbook.md")).unwrap();
    let listed: BTreeSet<&str> = page
        .split("experiments/cookbook/")
        .skip(1)
        .filter_map(|rest| rest.split(')').next()?.strip_suffix(".rhai"))
        .collect();
    let there = recipes();
    let there: BTreeSet<&str> = there.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(listed, there);
    assert!(there.len() >= 15);
}

#[test]
fn every_recipe_works() {
    let place = Place::new();
    for (name, path) in recipes() {
        let path = path.to_str().unwrap();
        match name.as_str() {
            "sweep" => {
                let out = place.ok(&["sweep", path]);
                assert!(out.contains("135,000,000 pairs"), "{out}");
                continue;
            }
            "measured_devices" => {
                let Some(data) = data_dir() else { continue };
                let table = data.join("nasbench201/nb201.csv.zst");
                place.ok(&["data", "import", "hw_nas_bench", table.to_str().unwrap()]);
            }
            _ => {}
        }
        let checked = place.run(&["check", path, "--strict"]);
        assert_eq!(checked.code, 0, "{name}: {}", checked.err);
        let run = place.run(&["run", path]);
        assert_eq!(run.code, 0, "{name}: {}", run.err);
        assert!(
            run.out.contains(" 0 failed") || !run.out.contains("failed"),
            "{name}: {}",
            run.out
        );
    }
    let out =
        place.ok(&["run", project().join("experiments/cookbook/settings.yaml").to_str().unwrap()]);
    assert!(out.contains("best.accuracy >= 0.65"), "{out}");
    place.ok(&["explain", "own_accelerator-1", "0"]);
}
