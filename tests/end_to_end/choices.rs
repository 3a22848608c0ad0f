//! The tests that scripts choose by name are there: the test program takes a name that no test has for none.

use std::fs;
use std::path::Path;

/// The scripts, and their lists of names.
const LISTS: [(&str, &[&str]); 2] = [
    ("tests/aarch64", &["chosen", "skipped"]),
    ("tests/aarch64-kernel", &["chosen"]),
];

/// The names in a list of a script: `NAME=(`, names and comments, `)`.
fn names<'s>(script: &'s str, list: &str) -> Vec<&'s str> {
    let begins = format!("\n{list}=(\n");
    let (_, rest) = script.split_once(&begins).expect("the list is there");
    let (list, _) = rest.split_once("\n)").expect("the list ends");
    list.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .flat_map(str::split_ascii_whitespace)
        .collect()
}

/// All tests in a file or folder of tests, with the path of their modules.
fn tests(at: &Path, module: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(at).expect("a folder") {
        let path = entry.expect("an entry").path();
        let stem = path.file_stem().expect("a name").to_string_lossy();
        let inner = match (module, &*stem) {
            (module, "mod" | "main") => module.to_owned(),
            ("", stem) => stem.to_owned(),
            (module, stem) => format!("{module}::{stem}"),
        };
        if path.is_dir() {
            tests(&path, &inner, found);
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source");
        let functions = text.split("#[test]").skip(1).filter_map(|rest| {
            let (_, rest) = rest.split_once("fn ")?;
            Some(rest.split_once('(')?.0)
        });
        found.extend(functions.map(|name| format!("{inner}::{name}")));
    }
}

#[test]
fn each_chosen_name_is_that_of_a_test() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    tests(&root.join("tests/end_to_end"), "", &mut all);
    assert!(all.len() > 400, "{}", all.len());
    for (script, lists) in LISTS {
        let text = fs::read_to_string(root.join(script)).expect("the script");
        for list in lists {
            let names = names(&text, list);
            assert!(names.len() > 5, "{script}: {list}");
            for name in names {
                let is_there = all.iter().any(|test| test.contains(name));
                assert!(is_there, "{script}: {list}: no test is called {name}");
            }
        }
    }
}
