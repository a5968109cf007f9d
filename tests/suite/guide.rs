//! The guide, executed step by step: its scripts are saved, its commands are run.

use std::fs;

use crate::support::{Place, project};

/// A step of a reader.
enum Deed {
    Save { name: String, text: String },
    Run { arguments: Vec<String> },
}

/// Returns the steps of a page: blocks of Rhai that begin with their file's name, and indented commands.
fn deeds(page: &str) -> Vec<Deed> {
    let mut deeds = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line == "```rhai" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let name = block[0].strip_prefix("// ").expect("a script begins with its name");
            assert!(name.ends_with(".rhai"), "{name}");
            deeds.push(Deed::Save { name: name.to_owned(), text: block.join("\n") + "\n" });
        } else if let Some(command) = line.strip_prefix("    tandem ") {
            deeds.push(Deed::Run { arguments: words(command) });
        }
    }
    deeds
}

/// Splits a command into words; text in single quotes is one word.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, piece) in command.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(piece.to_owned());
        } else {
            words.extend(piece.split_whitespace().map(str::to_owned));
        }
    }
    words
}

#[test]
fn every_step_of_the_guide_works() {
    let page = project().join("docs/guide.md");
    let deeds = deeds(&fs::read_to_string(page).unwrap());
    let place = Place::new();
    let (mut saved, mut run) = (0, 0);
    for deed in deeds {
        match deed {
            Deed::Save { name, text } => {
                place.write(&name, &text);
                saved += 1;
            }
            Deed::Run { arguments } => {
                let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let ran = place.run(&words);
                assert_eq!(ran.code, 0, "tandem {}\n{}", arguments.join(" "), ran.err);
                run += 1;
            }
        }
    }
    assert_eq!(saved, 5);
    assert!(run >= 18, "{run}");
}
