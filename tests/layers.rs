//! Which module may use which: the layers of the library and of the packages, as in ARCHITECTURE.md, and those of the
//! commands, as in the documentation of their `main.rs`. And what packages ask of their dependencies.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: impl AsRef<Path>) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first column of the table under a heading of ARCHITECTURE.md, from the top: the names in backticks, without
/// the final slash.
fn table(heading: &str) -> Vec<String> {
    let page = read("ARCHITECTURE.md");
    let (_, section) = page.split_once(heading).expect("the heading is there");
    let rows = section
        .lines()
        .skip(1)
        .take_while(|line| !line.starts_with('#'));
    rows.filter_map(|row| row.strip_prefix("| `"))
        .filter_map(|row| Some(row.split_once('`')?.0.trim_end_matches('/').to_owned()))
        .collect()
}

fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

/// A source without its comments and string literals, which may contain anything.
fn code(text: &str) -> String {
    let without_comments = text.lines().map(|line| match line.find("//") {
        Some(at) if !line[..at].contains('"') => &line[..at],
        _ => line,
    });
    without_comments.collect::<Vec<_>>().join("\n")
}

/// The top-level modules that a source names: the words behind `crate::`, also in braces.
fn named(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            None => _ = names.insert(first_word(rest)),
            Some(list) => {
                let (mut depth, mut starts) = (0, true);
                for (place, character) in list.char_indices() {
                    match character {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => starts = true,
                        _ if starts && !character.is_whitespace() => {
                            names.insert(first_word(&list[place..]));
                            starts = false;
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    names
}

fn first_word(text: &str) -> String {
    text.chars()
        .take_while(|&character| character.is_alphanumeric() || character == '_')
        .collect()
}

#[test]
fn what_a_source_names_is_found() {
    let names = |code: &str| named(code).into_iter().collect::<Vec<_>>();
    assert_eq!(names("use crate::sys::{self, Memory};"), ["sys"]);
    assert_eq!(
        names("use crate::{life::{end, fork},\n    sys};"),
        ["life", "sys"]
    );
    assert_eq!(
        names("let x = crate::hooks::f(crate::sys::y);"),
        ["hooks", "sys"]
    );
    assert_eq!(code("a // crate::hooks\nb"), "a \nb");
}

/// The first column of the table in the documentation of a command's `main.rs`, from the top.
fn modules(main: &str) -> Vec<String> {
    let text = read(main);
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`")?.split_once('`'));
    rows.map(|(name, _)| name.trim_start_matches("mod@").to_owned())
        .collect()
}

#[test]
fn the_layers_of_the_library_hold() {
    expect_layers("src", "lib", &table("### The layers of `src/`"));
}

#[test]
fn the_layers_of_the_command_hold() {
    expect_layers("tools/weir/src", "main", &modules("tools/weir/src/main.rs"));
}

#[test]
fn the_layers_of_the_benches_hold() {
    expect_layers(
        "tools/bench/src",
        "main",
        &modules("tools/bench/src/main.rs"),
    );
}

/// The report that the command's tests share. It is in the folder of the whole command's tests.
const SAMPLE: &str = "sample";

/// Checks that no module of a folder uses one of a layer above its own. The layers are the modules there. The file of
/// `root_module` may use all of them.
fn expect_layers(folder: &str, root_module: &str, layers: &[String]) {
    let place = |name: &str| layers.iter().position(|layer| layer == name);
    let root = Path::new(ROOT).join(folder);
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for file in &files {
        let within = file.strip_prefix(&root).expect("a file of src/");
        let first = within.iter().next().expect("a name").to_string_lossy();
        let own = first.trim_end_matches(".rs");
        if own == root_module {
            continue;
        }
        seen.insert(own.to_owned());
        let Some(layer) = place(own) else {
            wrong.push(format!(
                "{folder}: {own} is in no row of the table of layers"
            ));
            continue;
        };
        for used in named(&code(&read(file))) {
            if used != SAMPLE && place(&used).is_none_or(|used| used < layer) {
                wrong.push(format!(
                    "{folder}/{} uses crate::{used}, which is above {own}",
                    within.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let rows: BTreeSet<_> = layers.iter().cloned().collect();
    assert_eq!(seen, rows, "modules, and rows of the table");
}

/// No package depends on one that is below it in the map, and each has its row.
#[test]
fn the_packages_hold() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{output:?}");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let map = table("## Map");
    let mut rows = BTreeMap::new();
    let packages = metadata["packages"].as_array().expect("packages");
    for package in packages {
        let manifest = Path::new(package["manifest_path"].as_str().expect("a path"));
        let folder = manifest.parent().expect("a folder");
        let folder = folder.strip_prefix(ROOT).expect("in the workspace");
        let folder = match folder.to_str().expect("text") {
            "" => "src",
            folder => folder,
        };
        let row = map.iter().position(|row| row == folder);
        let row = row.unwrap_or_else(|| panic!("{folder} is in no row of the map"));
        rows.insert(package["name"].as_str().expect("a name"), row);
    }
    assert!(rows.len() > 5, "{rows:?}");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let used = dependency["name"].as_str().expect("a name");
            // Tests may use any package.
            let is_for_tests = dependency["kind"] == "dev";
            if let Some(row) = rows.get(used).filter(|_| !is_for_tests) {
                assert!(
                    *row < rows[name],
                    "{name} depends on {used}, which stands below it"
                );
            }
        }
    }
}

/// The packages of the workspace and all that they depend on, in this machine's builds, with their features. `edges` are the
/// kinds of dependencies.
fn features(edges: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--workspace",
            "--locked",
            "--offline",
            "--edges",
            edges,
        ])
        .args(["--prefix", "none", "--format", "{p} {f}"])
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{output:?}");
    let tree = String::from_utf8(output.stdout).expect("UTF-8");
    tree.lines()
        .map(|line| line.trim_end_matches(" (*)").to_owned())
        .collect()
}

/// If a test asked for a feature of a crate that the command has too, cargo would compile the command twice.
#[test]
fn tests_ask_for_no_feature_that_the_workspace_lacks() {
    let with_tests = features("normal,build,dev");
    let without = features("normal,build");
    assert!(without.len() > 100, "{without:?}");
    let less: Vec<_> = without.difference(&with_tests).collect();
    assert!(
        less.is_empty(),
        "tests ask more of these; tools/bench/Cargo.toml is to ask for it, too: {less:?}"
    );
}
