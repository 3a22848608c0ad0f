//! The libraries in C do what those in Rust do.

use crate::support::{compile, example, examples};
use std::fs;
use std::path::Path;

const STEPS: [&str; 6] = [
    "count_malloc",
    "guard",
    "bootstrap_arena",
    "chain",
    "run_time",
    "yielding_read",
];

/// What a run prints once all is built, without what differs from one run to the next: how often a hook was entered
/// until its stack was full.
fn printed(output: &str) -> Vec<&str> {
    let is_built = |line: &&str| {
        !["$ cargo ", "$ cc ", "$ cd "]
            .iter()
            .any(|command| line.starts_with(command))
    };
    output
        .lines()
        .filter(is_built)
        .map(|line| match line.trim_start().split_once(' ') {
            Some((count, rest)) if count.parse::<u32>().is_ok_and(|count| count > 100) => rest,
            _ => line,
        })
        .collect()
}

#[test]
fn every_step_prints_the_same_in_both_languages() {
    for step in STEPS {
        let in_rust = &example(&[step]).output;
        let in_c = &example(&["--c", step]).output;
        assert!(in_c.contains("-shared -fPIC -o lib"), "{step}: {in_c}");
        assert!(!in_c.contains("$ cargo "), "{step}: {in_c}");
        let (in_rust, in_c) = (printed(in_rust), printed(in_c));
        assert!(in_c.len() > 3, "{step}: {in_c:?}");
        assert_eq!(in_rust, in_c, "{step}");
    }
}

#[test]
fn libraries_in_c_take_the_arguments_and_count_the_same() {
    let outcome = example(&["--c", "1", "1000"]);
    assert_eq!(outcome.count("malloc was called 1001 times"), 1);
}

/// Every C file of the steps, from the folder of the tests' own: those of the programs, and of the libraries.
fn sources() -> Vec<String> {
    let files = |folder: &Path| {
        let entries = fs::read_dir(folder).expect("a folder");
        let mut files: Vec<_> = entries
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        files
    };
    files(examples())
        .into_iter()
        .filter(|step| {
            step.file_name()
                .is_some_and(|name| name.as_encoded_bytes()[0] == b'0')
        })
        .flat_map(|step| [files(&step), files(&step.join("c"))].concat())
        .filter(|file| file.extension().is_some_and(|extension| extension == "c"))
        .map(|file| file.to_str().expect("UTF-8").to_owned())
        .collect()
}

#[test]
fn no_file_in_c_gives_the_compiler_anything_to_say() {
    let object = Path::new(env!("CARGO_TARGET_TMPDIR")).join("in_c.o");
    let include = concat!("-I", env!("CARGO_MANIFEST_DIR"), "/../include");
    let sources = sources();
    assert_eq!(sources.len(), 19, "{sources:?}");
    for source in sources {
        compile(&source, &object, &["-O2", "-c", "-fPIC", include]);
    }
}
